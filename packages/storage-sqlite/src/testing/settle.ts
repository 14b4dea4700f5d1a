import type { Store } from "@tq/storage";
import { SqliteStore } from "../sqlite-store.ts";

/** Ends a store as a process ends that is killed: nothing more is written, and its files are another's to open. */
export function abandon(store: Store): void {
  if (!(store instanceof SqliteStore)) throw new Error(`${store.description} has no file`);
  store.abandon();
}

/** Brings what a store has committed into its file, where others can look at it. */
export function settle(store: Store): void {
  if (!(store instanceof SqliteStore)) throw new Error(`${store.description} has no file`);
  store.settle();
}
