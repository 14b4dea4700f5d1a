import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** Enough to see something, few enough to wait for. */
const maxFiles = 600;

const usage = `Usage: pnpm demo [FOLDER]

Runs tq on real input: a server, a workflow engine and two workers, each a process of its own, describe every Markdown
and text file under FOLDER (default: node_modules of this repository; at most ${maxFiles} files). On the way the demo kills a
worker and the server, and at the end compares the report with one computed directly.

Exit status: 0 the reports are equal and nothing was lost, 1 something went wrong, 2 wrong usage.`;

const repository = fileURLToPath(new URL("../../..", import.meta.url));

/** Ends the demo with a message. */
class ExitError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

function folderOf(args: readonly string[]): string | undefined {
  try {
    const options = { help: { type: "boolean", short: "h" } } as const;
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    if (values.help === true) return undefined;
    if (positionals.length > 1) throw new Error(`One folder at most; ${positionals.length} were given.`);
    // pnpm runs scripts in the repository, and says where it was called.
    const [folder] = positionals;
    return folder === undefined
      ? join(repository, "node_modules")
      : resolve(process.env["INIT_CWD"] ?? process.cwd(), folder);
  } catch (error) {
    throw new ExitError(2, `${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
  }
}

/** Imported late, so that a build that is missing is told as that. */
async function loadDemo() {
  try {
    const [{ findInputs }, { tqFile }, { Progress }, { runDemo }] = await Promise.all([
      import("./demo/inputs.ts"),
      import("./demo/cast.ts"),
      import("./demo/progress.ts"),
      import("./demo/run.ts"),
    ]);
    const main = join(tqFile, "../../dist/main.js");
    if (!existsSync(tqFile) || !existsSync(main)) throw new Error(`${main} is missing`);
    return { findInputs, Progress, runDemo };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ExitError(
      2,
      `The demo is not built, or its build is too old (${why}).\nRun \`npx pnpm@12 build\`, then try again.`,
    );
  }
}

async function main(): Promise<number> {
  const folder = folderOf(process.argv.slice(2));
  if (folder === undefined) {
    console.log(usage);
    return 0;
  }
  const { findInputs, Progress, runDemo } = await loadDemo();
  const inputs = await findInputs(folder, maxFiles).catch((error: unknown) => {
    throw error instanceof Error && error.name === "NoInputsError" ? new ExitError(2, error.message) : error;
  });

  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () =>
      interrupted.abort(new ExitError(128 + constants.signals[signal], `Stopped by ${signal}.`)),
    );
  }
  // Nobody reads on (`pnpm demo | head`).
  process.stdout.on("error", () => interrupted.abort(new ExitError(1, "Stopped: its output was closed.")));

  const progress = new Progress(process.stdout);
  const workFolder = await mkdtemp(join(tmpdir(), "tq-demo-"));
  let isKept = false;
  try {
    const leftOut = inputs.leftOut.map((what) => `; left out: ${what}`).join("");
    progress.say(`${inputs.paths.length} Markdown and text files under ${inputs.folder}${leftOut}`);
    await runDemo({ inputs, workFolder, progress, signal: interrupted.signal });
    return 0;
  } catch (error) {
    if (interrupted.signal.aborted) throw interrupted.signal.reason;
    isKept = true;
    const what = error instanceof Error ? error.message : String(error);
    throw new ExitError(
      1,
      `The demo failed. ${what}\nData and logs are kept in ${workFolder}: look there first, then delete it.`,
    );
  } finally {
    if (!isKept) await rm(workFolder, { recursive: true, force: true });
  }
}

async function run(): Promise<number> {
  try {
    return await main();
  } catch (error) {
    console.error(`\n${error instanceof Error ? error.message : String(error)}`);
    return error instanceof ExitError ? error.status : 1;
  }
}

// Not by itself: a client may still be trying to reach a server that is no more.
process.exit(await run());
