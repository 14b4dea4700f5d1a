// Builds, then runs a file of this repository in this same process, so that signals and the exit status are its own:
//   node scripts/run.js FILE [ARGUMENT...]
import { pathToFileURL } from "node:url";
import "./build.js";

const [, , file] = process.argv;
if (file === undefined) throw new Error("usage: node scripts/run.js FILE [ARGUMENT...]");
process.argv.splice(1, 2, file);
await import(pathToFileURL(file).href);
