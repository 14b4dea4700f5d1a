// Makes the API documentation of the published packages from what is built, into docs/api/html. A warning is an error.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import "./build.js";

const folder = fileURLToPath(new URL("../docs/api", import.meta.url));
// typedoc knows no TypeScript beyond 6 yet; its package has one of its own.
const { status, error } = spawnSync("node_modules/.bin/typedoc", [], { cwd: folder, stdio: "inherit" });
if (error !== undefined) console.error(`typedoc did not start (${error.message}): run this as \`npx pnpm@12 docs\`.`);
process.exitCode = status ?? 1;
