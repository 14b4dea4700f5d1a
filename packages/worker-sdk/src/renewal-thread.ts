// The renewals of a process, in a thread of their own. See renewal.ts; renewal-channel.ts starts it.

import { writeSync } from "node:fs";
import { type MessagePort, parentPort } from "node:worker_threads";
import { Client, systemClock } from "@tq/client";
import { logLine } from "./logger.ts";
import { LoopWatch } from "./loop-watch.ts";
import { Renewal } from "./renewal.ts";
import type { RenewalThreadData, ThreadInput, ThreadNews } from "./renewal-channel.ts";
import type { RenewalInput, RenewalNews } from "./renewal-messages.ts";

/** As long as the server calls a worker live after a call. */
const ownerSilentMs = 15_000;
/** On stderr while nothing else can be said, so never more than this of it. */
const mostTypesTold = 10;

/** The renewal of one worker. */
class OpenRenewal {
  readonly #client: Client;
  readonly #watch: LoopWatch;
  readonly #renewal: Renewal;
  /** The types of the tasks that ran when the event loop stood still. */
  #blocking: readonly string[] = [];

  constructor(
    { address, httpVersion, namespace, settings, blockedAfterMs }: RenewalThreadData,
    report: (news: RenewalNews) => void,
  ) {
    const client = Client.create({ address, httpVersion, namespace });
    const watch = new LoopWatch({
      clock: systemClock,
      blockedAfterMs,
      onBlocked: (forMs) => {
        this.#blocking = renewal.leases.types();
        const fields = {
          worker: settings.identity,
          seconds: Number((forMs / 1000).toFixed(1)),
          handlers: this.#blocking.slice(0, mostTypesTold).join(", "),
        };
        const message = "A handler blocks the event loop: leases are kept, but nothing else of the worker runs";
        writeSync(process.stderr.fd ?? 2, logLine("warn", fields, message));
      },
      onUnblocked: (forMs) => report({ kind: "unblocked", forMs, types: this.#blocking }),
    });
    const renewal = new Renewal({ client, settings, report, isOwnerAwake: () => watch.silentMs < ownerSilentMs });
    this.#client = client;
    this.#watch = watch;
    this.#renewal = renewal;
  }

  start(): void {
    this.#watch.start();
    this.#renewal.start();
  }

  take(input: RenewalInput): void {
    if (input.kind === "pulse") this.#watch.pulse();
    this.#renewal.take(input);
  }

  async stop(): Promise<void> {
    this.#watch.stop();
    this.#renewal.stop();
    await this.#client.close();
  }
}

function serve(port: MessagePort): void {
  const renewals = new Map<number, OpenRenewal>();
  port.on("message", (message: ThreadInput) => {
    const { renewal } = message;
    switch (message.kind) {
      case "open": {
        const opened = new OpenRenewal(message.data, (news) =>
          port.postMessage({ renewal, news } satisfies ThreadNews),
        );
        renewals.set(renewal, opened);
        opened.start();
        return;
      }
      case "input":
        renewals.get(renewal)?.take(message.input);
        return;
      case "close":
        void renewals.get(renewal)?.stop();
        renewals.delete(renewal);
    }
  });
}

if (parentPort === null) throw new Error("renewal-thread.js is started by a tq worker, and not by itself");
serve(parentPort);
