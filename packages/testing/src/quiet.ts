// When is everything quiet, so that the clock may move on?
//
// What a test sets off goes from one step to the next by promises, by the next round of the event loop, by timers of the
// manual clock, by the store, and by work that Node does elsewhere (files, crypto). Promises are run dry between two rounds
// of the event loop. So it is quiet after some rounds in a row in which nothing was noted (no timer set, no call of the
// server begun or ended), the store is at rest, nothing else waits for the next round, and Node does nothing for us.
//
// What no one can see is what a handler awaits that is real and goes on by itself: a child process, a thread, a socket.
// Its author says so with `hold`.

import { RealRequests } from "./real-requests.ts";

/** Rounds of the event loop in which nothing happens. One would do for all that is counted; the others are for what is not. */
const quietRounds = 4;
/** Real time after which something is taken never to come to rest. Far beyond any test; only to say so instead of hanging. */
const patienceMs = 10_000;

/** Rounds that are waited for here, by all clocks of the process: they do not keep each other from being quiet. */
let ownRounds = 0;

/** One round of the event loop. */
async function round(): Promise<void> {
  ownRounds += 1;
  await new Promise<void>((resolve) => {
    setImmediate(() => {
      ownRounds -= 1;
      resolve();
    });
  });
}

/** Whether something else than us waits for the next round. */
function othersWait(): boolean {
  return process.getActiveResourcesInfo().filter((type) => type === "Immediate").length > ownRounds;
}

/** See the top of the file. */
export class Quiet {
  readonly #requests = new RealRequests();
  readonly #busy = new Map<object, string>();
  #notes = 0;
  #watchers = 0;

  /** Begins to look at what Node does, which is not waited for else. Answers how to end that. */
  watchRequests(): () => void {
    if (this.#watchers++ === 0) this.#requests.start();
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      if (--this.#watchers === 0) this.#requests.stop();
    };
  }

  /** Something has happened: what it sets off may take some rounds. */
  note(): void {
    this.#notes += 1;
  }

  /** It is not quiet until the answer is called. */
  begin(what: string): () => void {
    const key = {};
    this.#busy.set(key, what);
    return () => {
      if (this.#busy.delete(key)) this.note();
    };
  }

  /** It is not quiet until the promise has settled. */
  async hold<Value>(promise: Promise<Value>, what: string): Promise<Value> {
    const end = this.begin(what);
    try {
      return await promise;
    } finally {
      end();
    }
  }

  /**
   * Resolves once it is quiet.
   *
   * @throws Error after 10 s of real time in which Node did nothing for the process, naming what is not.
   */
  async reached(): Promise<void> {
    let givesUpAtMs = performance.now() + patienceMs;
    for (let quiet = 0; quiet < quietRounds;) {
      const before = this.#notes;
      await round();
      const isStill =
        this.#notes === before && this.#busy.size === 0 && this.#requests.underWay.length === 0 && !othersWait();
      quiet = isStill ? quiet + 1 : 0;
      // What Node does ends by itself; how long it takes is the machine's affair.
      if (this.#requests.underWay.length > 0) givesUpAtMs = performance.now() + patienceMs;
      if (!isStill && performance.now() > givesUpAtMs) throw new Error(this.#unrest());
    }
  }

  #unrest(): string {
    const what = [...this.#busy.values(), ...this.#requests.underWay.map((type) => `Node's ${type}`)];
    const others = othersWait() ? ["something that asks for the next round of the event loop again and again"] : [];
    const list = [...what, ...others].join(", ") || "timers that are set again and again";
    return (
      `The clock cannot be moved: after ${patienceMs / 1_000} s of real time this has not come to rest: ${list}. ` +
      "A handler that waits for something real ends first; what it waits for in between belongs to Context.sleep."
    );
  }
}
