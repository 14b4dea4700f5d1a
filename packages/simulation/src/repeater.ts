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
    if (ended.outcome.kind === "lost") this.#lost.push(made);
    return ended;
  }

  /** Makes all calls again whose answer was lost; if there is none, one that was answered. */
  repeat(): void {
    const recent = ({ at }: Made): boolean => at > this.#elapsed() - repeatWithinMs;
    const lost = this.#lost.filter(recent);
    this.#lost = [];
    const made = this.#made.filter(recent);
    const again = lost.length > 0 || made.length === 0 ? lost : [this.#random.pick(made)];
    for (const one of again) void this.#again(one);
  }

  async #again(made: Made): Promise<void> {
    const { outcome } = await this.#network.call(made.call);
    if (outcome.kind === "lost") this.#lost.push(made);
  }
}
