// All that CI checks, each step to its end, and what to do about those that fail.
//   node scripts/verify.js [--no-tests]
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** @type {{ name: string, command: string, advice: string }[]} */
const steps = [
  {
    name: "generated code",
    command: "node scripts/generate.js --check",
    advice: "run `npx pnpm@12 generate` and commit packages/proto/gen",
  },
  { name: "buf lint", command: "buf lint", advice: "mend the lines of proto/ named above" },
  { name: "buf breaking", command: "node scripts/breaking.js", advice: "keep proto/ compatible with main" },
  { name: "build", command: "node scripts/build.js", advice: "mend the type errors named above" },
  { name: "types", command: "node scripts/types.js", advice: "mend the type errors named above" },
  {
    name: "lint",
    command: "oxlint --deny-warnings",
    advice: "mend the lines named above; `npx pnpm@12 lint --fix` does some",
  },
  { name: "format", command: "oxfmt --check", advice: "run `npx pnpm@12 format`" },
  { name: "boundaries", command: "turbo boundaries", advice: "import along the arrows of turbo.json only" },
  {
    name: "api docs",
    command: "node scripts/api-docs.js",
    advice: "mend the comments named above; `npx pnpm@12 run docs` makes the documentation again",
  },
  {
    name: "packages",
    command: "node scripts/packages.js",
    advice: "mend the packages named above; `npx pnpm@12 run packages` looks again",
  },
];
if (!process.argv.includes("--no-tests")) {
  steps.push({ name: "tests", command: "vitest run", advice: "run `npx pnpm@12 test FILE` for the one that failed" });
}

const failed = steps.filter(({ name, command }) => {
  console.log(`── ${name}`);
  return spawnSync(command, { cwd: root, stdio: ["ignore", "inherit", "inherit"], shell: true }).status !== 0;
});
console.log(failed.length === 0 ? "── all is well" : `── failed: ${failed.map(({ name }) => name).join(", ")}`);
for (const { name, advice } of failed) console.log(`   ${name}: ${advice}`);
process.exitCode = failed.length === 0 ? 0 : 1;
