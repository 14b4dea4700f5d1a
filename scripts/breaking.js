// `buf breaking` of the working tree against the protos of the main branch, if there is one to compare with.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
/** @param {string} command @param {string[]} args */
const run = (command, args) => spawnSync(command, args, { cwd: root, encoding: "utf8" });

const base = ["origin/main", "main"].find(
  (ref) =>
    run("git", ["cat-file", "-e", `${ref}:proto/tq`]).status === 0 &&
    run("git", ["cat-file", "-e", `${ref}:buf.yaml`]).status === 0,
);
if (base === undefined) {
  console.log("buf breaking: skipped, there is no main branch with a proto/tq to compare with.");
} else {
  // Unpacked, not buf's `.git#ref=`: that clones, which fails in a worktree.
  const folder = mkdtempSync(join(tmpdir(), "tq-breaking-"));
  try {
    mkdirSync(join(folder, "base"));
    const archive = join(folder, "base.tar");
    for (const [command, args] of [
      ["git", ["archive", "--format=tar", "-o", archive, base, "buf.yaml", "proto"]],
      ["tar", ["-xf", archive, "-C", join(folder, "base")]],
      ["buf", ["breaking", "--against", join(folder, "base")]],
    ]) {
      const { status, stdout, stderr, error } = run(command, args);
      if (status === 0) continue;
      console.error(`${stdout ?? ""}${stderr ?? ""}${error?.message ?? ""}`);
      console.error(
        `proto/ breaks those who use ${base}'s: take the change back, or add a new field or message instead.`,
      );
      process.exitCode = 1;
      break;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
