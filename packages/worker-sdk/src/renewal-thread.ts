// The renewal, in a thread of its own. See renewal.ts; renewal-channel.ts starts it.

import { writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { Client, systemClock } from "@tq/client";
import { logLine } from "./logger.ts";
import { LoopWatch } from "./loop-watch.ts";
import { Renewal } from "./renewal.ts";
import type { RenewalThreadData } from "./renewal-channel.ts";
import type { RenewalInput, RenewalNews } from "./renewal-messages.ts";

/** As long as the server calls a worker live after a call. */
const ownerSilentMs = 15_000;
/** On stderr while nothing else can be said, so never more than this of it. */
const mostTypesTold = 10;

const port = parentPort;
if (port === null) throw new Error("renewal-thread.js is started by a tq worker, and not by itself");
const { address, httpVersion, namespace, settings, blockedAfterMs } = workerData as RenewalThreadData;
const client = Client.create({ address, httpVersion, namespace });
const report = (news: RenewalNews) => port.postMessage(news);

/** The types of the tasks that ran when the event loop stood still. */
let blocking: readonly string[] = [];
const watch = new LoopWatch({
  clock: systemClock,
  blockedAfterMs,
  onBlocked: (forMs) => {
    blocking = renewal.leases.types();
    const fields = {
      worker: settings.identity,
      seconds: Number((forMs / 1000).toFixed(1)),
      handlers: blocking.slice(0, mostTypesTold).join(", "),
    };
    const message = "A handler blocks the event loop: leases are kept, but nothing else of the worker runs";
    writeSync(process.stderr.fd ?? 2, logLine("warn", fields, message));
  },
  onUnblocked: (forMs) => report({ kind: "unblocked", forMs, types: blocking }),
});
const renewal = new Renewal({ client, settings, report, isOwnerAwake: () => watch.silentMs < ownerSilentMs });

port.on("message", (input: RenewalInput) => {
  if (input.kind === "pulse") watch.pulse();
  renewal.take(input);
});
watch.start();
renewal.start();
