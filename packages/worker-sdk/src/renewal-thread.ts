// The renewals of a process, in a thread of their own. See renewal.ts; renewal-channel.ts starts it.

import { writeSync } from "node:fs";
import { type MessagePort, parentPort } from "node:worker_threads";
import { Client, systemClock } from "@tq/client";
import { type BlockingCode, type Look, lookAtMainThread } from "./blocking-code.ts";
import { logLine } from "./logger.ts";
import { LoopWatch } from "./loop-watch.ts";
import { Renewal } from "./renewal.ts";
import type { RenewalThreadData, ThreadInput, ThreadNews } from "./renewal-channel.ts";
import type { RenewalInput, RenewalNews } from "./renewal-messages.ts";
import { HoldingsReader } from "./shared-holdings.ts";
import { SharedStatus } from "./shared-status.ts";

/** As long as the server calls a worker live after a call. */
const ownerSilentMs = 15_000;
/** Two pulses are missing. Well below the five seconds after which the server takes back what is not confirmed. */
const heldUpAfterMs = 1_000;
/** On stderr while nothing else can be said, so never more than this of it. */
const mostTypesTold = 10;

/** At what stands still just now. One for all workers, which stand still together. */
let look: Look | undefined;

/** The renewal of one worker. */
class OpenRenewal {
  readonly #client: Client;
  readonly #watch: LoopWatch;
  readonly #renewal: Renewal;
  readonly #holdings: HoldingsReader;
  readonly #data: RenewalThreadData;
  /** True: somebody debugs the worker, and may be the one who holds it up. */
  #isInspected = false;
  /** What held up the event loop the last time, if that was found out. */
  #code: BlockingCode | undefined;
  /** The types of the tasks that ran then. */
  #running: readonly string[] = [];

  constructor(data: RenewalThreadData, report: (news: RenewalNews) => void) {
    const { address, httpVersion, namespace, settings, blockedAfterMs } = data;
    const client = Client.create({ address, httpVersion, namespace });
    const status = new SharedStatus(data.status);
    const watch = new LoopWatch({
      clock: systemClock,
      blockedAfterMs,
      heldUpAfterMs,
      onLook: () => holdings.look(),
      onHeldUp: () => renewal.ownerIsHeldUp(),
      onBlocked: (forMs) => void this.#reportBlocked(forMs),
      onUnblocked: (forMs) => {
        look?.end();
        look = undefined;
        report({ kind: "unblocked", forMs, code: this.#code, running: this.#running });
      },
    });
    const renewal = new Renewal({
      client,
      settings,
      report,
      status: () => status.get(),
      look: () => holdings.look(),
      isOwnerAwake: () => watch.silentMs < ownerSilentMs,
      isOwnerHeldUp: () => watch.isHeldUp,
    });
    const holdings = new HoldingsReader(renewal);
    this.#data = data;
    this.#client = client;
    this.#watch = watch;
    this.#renewal = renewal;
    this.#holdings = holdings;
  }

  start(): void {
    this.#watch.start();
    this.#renewal.start();
  }

  addPage(memory: SharedArrayBuffer): void {
    this.#holdings.addPage(memory);
  }

  /** Looks what the worker holds by now. */
  look(): void {
    this.#holdings.look();
  }

  take(input: RenewalInput): void {
    this.look();
    if (input.kind === "pulse") {
      this.#isInspected = input.isInspected;
      this.#watch.pulse();
    }
    this.#renewal.take(input);
  }

  async stop(): Promise<void> {
    this.#watch.stop();
    this.#renewal.stop();
    await this.#client.close();
  }

  /** Says past the worker's logger, which cannot run just now, what blocks the event loop. */
  async #reportBlocked(forMs: number): Promise<void> {
    const { settings, isOwnerMain } = this.#data;
    this.#code = undefined;
    this.#running = this.#renewal.leases.types();
    if (isOwnerMain && !this.#isInspected) this.#code = await (look ??= lookAtMainThread(systemClock)).found;
    const code = this.#code;
    const fields = {
      worker: settings.identity,
      seconds: Number((forMs / 1000).toFixed(1)),
      ...(code === undefined
        ? { handlers: this.#running.slice(0, mostTypesTold).join(", ") }
        : { handler: code.type, taskId: code.taskId, at: code.at }),
    };
    const message = "The event loop is blocked: leases are kept, but nothing else of the worker runs";
    writeSync(process.stderr.fd ?? 2, logLine("warn", fields, message));
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
      case "page":
        renewals.get(renewal)?.addPage(message.memory);
        return;
      case "look":
        renewals.get(renewal)?.look();
        return;
      case "close":
        void renewals.get(renewal)?.stop();
        renewals.delete(renewal);
        if (renewals.size > 0) return;
        // Whoever comes next looks for itself.
        look?.end();
        look = undefined;
    }
  });
}

if (parentPort === null) throw new Error("renewal-thread.cjs is started by a tq worker, and not by itself");
serve(parentPort);
