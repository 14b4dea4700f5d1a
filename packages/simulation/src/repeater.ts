import type { Call, Ended, Network } from "./network.ts";
import type { Random } from "./random.ts";

/** Calls that can be made again, at most: later ones push out earlier ones. */
const callsKept = 30;
/** How long the server keeps the answer to a request id, less a little. */
const repeatWithinMs = 9 * 60_000;

interface Made {
  readonly call: Call<unknown>;
  readonly at: number;
}

/** Makes calls that carry a request id, and makes them again: those whose answer was lost, and some whose answer was not. */
export class Repeater {
  readonly #random: Random;
  readonly #network: Network;
  readonly #elapsed: () => number;
  #lost: Made[] = [];
  readonly #made: Made[] = [];
  #requests = 0;

  constructor(random: Random, network: Network, elapsed: () => number) {
    this.#random = random;
    this.#network = network;
    this.#elapsed = elapsed;
  }

  /** A new request id. */
  requestId(): string {
    this.#requests += 1;
    return `request-${this.#requests}`;
  }

  /** Makes a call. */
  async make<Message>(call: Call<Message>): Promise<Ended<Message>> {
    const made = { call: call as Call<unknown>, at: this.#elapsed() };
    this.#made.push(made);
    if (this.#made.length > callsKept) this.#made.shift();
    const ended = await this.#network.call(call);
    if (isUnanswered(ended)) this.#lost.push(made);
    return ended;
  }

  /** Makes all calls again whose answer was lost, or that the server could not carry out just then. */
  repeatLost(): void {
    const lost = this.#lost.filter((made) => this.#isRecent(made));
    this.#lost = [];
    for (const one of lost) void this.#again(one);
  }

  /** The same; and if there is none, one that was answered. */
  repeat(): void {
    const answered = this.#made.filter((made) => this.#isRecent(made));
    if (this.#lost.length === 0 && answered.length > 0) void this.#again(this.#random.pick(answered));
    else this.repeatLost();
  }

  async #again(made: Made): Promise<void> {
    if (isUnanswered(await this.#network.call(made.call))) this.#lost.push(made);
  }

  /** A later repeat would be a new call. */
  #isRecent({ at }: Made): boolean {
    return at > this.#elapsed() - repeatWithinMs;
  }
}

function isUnanswered({ outcome }: Ended<unknown>): boolean {
  return outcome.kind === "lost" || (outcome.kind === "refused" && outcome.reason.startsWith("Unavailable"));
}
