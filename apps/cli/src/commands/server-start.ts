import { resolve } from "node:path";
import type { Server } from "@tq/matching";
import { defaultAddress } from "@tq/client";
import { Command, Option } from "commander";
import { durationArgument } from "../arguments/duration.ts";
import { isLoopback, type ListenAddress, listenArgument } from "../arguments/listen-address.ts";
import { ExitCode, exitCodeOfInterruption } from "../exit-codes.ts";
import type { Invoke, Session } from "../session.ts";

/** What `tq server start` was told. */
export interface ServerStartOptions {
  readonly listen: ListenAddress;
  readonly data: string;
  readonly log: "text" | "json";
  /** Milliseconds. */
  readonly shutdownGrace: number;
}

/** `tq server start`. */
export function serverStartCommand(invoke: Invoke): Command {
  const command = new Command("start")
    .summary("run a server until it is stopped")
    .description(
      "Run a server until it is stopped. Ctrl-C or SIGTERM lets it finish what is in flight; a second one ends it at " +
        "once. Either way nothing that was acknowledged is lost.",
    )
    .addOption(
      new Option("--listen <host:port>", "where to listen; port 0 takes a free one")
        .argParser(listenArgument)
        .default(listenArgument(defaultAddress), defaultAddress),
    )
    .option("--data <dir>", "folder of the database, in the present one unless absolute; made if missing", ".tq")
    .addOption(new Option("--log <format>", "log lines on stderr").choices(["text", "json"]).default("text"))
    .addOption(
      new Option("--shutdown-grace <duration>", "how long a stop waits for calls that are under way")
        .argParser(durationArgument)
        .default(10_000, "10s"),
    );
  return command.action((options: ServerStartOptions) => invoke(command, runServerStart, options));
}

async function runServerStart(options: ServerStartOptions, session: Session): Promise<ExitCode> {
  const { listen, data, log, shutdownGrace } = options;
  const { output } = session;
  const matching = await session.loadServer();
  const server = matching.createServer({
    ...listen,
    dataDir: resolve(data),
    shutdownGraceMs: shutdownGrace,
    logger: matching.lineLogger(
      log,
      (line) => output.message(line.trimEnd()),
      () => new Date(session.now()),
    ),
  });

  const { promise: ended, resolve: end, reject: fail } = Promise.withResolvers<ExitCode>();
  const starting = server.start();
  let isStopping = false;
  session.onInterruption((interruption) => {
    // It goes on serving when nobody reads what it prints.
    if (interruption === "output-closed") return;
    if (isStopping) {
      end(exitCodeOfInterruption("SIGINT"));
      return;
    }
    isStopping = true;
    output.message("Stopping: finishing what is in flight. Once more to stop at once.");
    // What is half started is stopped once it has started; a failed start is told by the one who waits for it below.
    starting.then(() => server.stop()).then(() => end(ExitCode.ok), fail);
  });

  await Promise.race([starting, ended]);
  if (!isStopping) announce(server, options, session);
  void server.closed.then((reason) => {
    if (isStopping) return;
    output.message(`The server stopped by itself${reason === undefined ? "" : `: ${reason.message}`}. Start it again.`);
    end(ExitCode.failed);
  });
  return ended;
}

function announce(server: Server, { listen, data }: ServerStartOptions, session: Session): void {
  const { output, typed } = session;
  const address = new URL(server.url).host;
  if (output.format === "json") {
    output.json({ address, url: server.url, dataFile: server.dataFile });
    return;
  }
  output.lines([`tq listens on ${address}`, `Its data is in ${resolve(data)}`]);
  output.message(`Add a task:      ${typed(`task add demo greet '"world"'`, { address })}`);
  output.message(`See the queues:  ${typed("queue ls", { address })}`);
  output.message("Stop it:         Ctrl-C");
  if (!isLoopback(listen)) {
    output.message(
      "Whoever reaches this address can do everything: tq has no passwords. Keep it to a network you trust.",
    );
  }
}
