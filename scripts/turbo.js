// Runs one turbo task over all packages, in one line of output unless it fails. Prints to stderr: stdout belongs to
// what is run next.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Ends the process with status 1 if the task fails. @param {"build" | "types"} task @param {string} done */
export function runTask(task, done) {
  if (Number(process.versions.node.split(".")[0]) < 22) {
    fail(
      `tq needs Node 22 or newer; this is v${process.versions.node}. Run it through pnpm, which brings one: ` +
        "`npx pnpm@12 start` (or test, demo, tq, verify).",
    );
  }
  // turbo finds the workspace by devEngines.packageManager in package.json. Where it does not, it takes the root for
  // the only package and calls this script again, and so on.
  if (process.env["TURBO_HASH"] !== undefined) {
    fail("turbo took the root for a package: look at devEngines.packageManager in package.json.");
  }

  const began = performance.now();
  const { status, stdout, stderr, error } = spawnSync(
    process.execPath,
    [createRequire(import.meta.url).resolve("turbo/bin/turbo"), "run", task, "--output-logs=errors-only"],
    {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      maxBuffer: 64 * 1024 * 1024,
      env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1", TURBO_NO_UPDATE_NOTIFIER: "1" },
    },
  );
  if (status !== 0) {
    fail(
      `${stdout ?? ""}${stderr ?? ""}${error?.message ?? ""}\n` +
        `\`${task}\` failed: mend what is named above, then run \`npx pnpm@12 ${task}\`.`,
    );
  }
  console.error(`${done} in ${((performance.now() - began) / 1000).toFixed(1)} s.`);
}

/** @param {string} message @returns {never} */
function fail(message) {
  console.error(message);
  process.exit(1);
}
