import { vi } from "vitest";
import type { PollCall, PollReply } from "../src/matching/matching.ts";
import type { FakeMatching } from "./fake-matching.ts";

/** A poll that has come to the engine and waits there. */
export interface HeldPoll {
  readonly call: PollCall;
  readonly answer: (reply: PollReply) => void;
  /** Told whether the answer could not be delivered. */
  readonly undelivered: ReturnType<typeof vi.fn>;
}

/** The next poll, held until it is answered. */
export function holdNextPoll(matching: FakeMatching): Promise<HeldPoll> {
  return new Promise((arrived) => {
    matching.onPoll = (call) =>
      new Promise((answer) => {
        const undelivered = vi.fn();
        call.delivery.onUndelivered(() => void undelivered());
        arrived({ call, answer, undelivered });
      });
  });
}
