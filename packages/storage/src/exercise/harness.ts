import { describe, it } from "vitest";
import type { Store } from "../store.ts";
import { Driver } from "./driver.ts";

/** Where one test's data lies, from an empty beginning to the end of the test. */
export interface StoreHome {
  /** A store over what is there; the caller opens it. One of before must be closed, or left behind by {@link crash}. */
  store(): Store;
  /** As if the process had been killed at this moment: from now on `store()` finds what was committed, and no lock. */
  crash(): Promise<void>;
  /** Another server takes the shard over, behind the back of the one that has it open. */
  takeOver(): Promise<void>;
  /** Compares what the engine stores twice: counters with rows, memory with disk. Called after every commit. */
  checkInvariants?(store: Store): Promise<void>;
  dispose(): Promise<void>;
}

/** What an engine brings to the suite. */
export interface Harness {
  home(): Promise<StoreHome>;
}

/** A test with an open store, which is closed and disposed of when it is over. */
export type StoreTest = (name: string, run: (driver: Driver) => Promise<void>) => void;

/** Makes one file of the suite into a describe block. */
export function chapter(name: string, harness: Harness, tests: (test: StoreTest) => void): void {
  describe(name, () => {
    tests((title, run) => {
      it(title, async () => {
        const driver = await Driver.open(harness);
        try {
          await run(driver);
        } finally {
          await driver.dispose();
        }
      });
    });
  });
}
