// Makes one file of the renewal thread and all that it imports. A thread loads every module anew: some 300 files took half a
// second of processor time each time a worker was started, while its first tasks came in; one file takes a third of that.
// Beside it goes a file with the licenses of what is in it.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const file = join(dist, "renewal-thread.js");

const bundle = await rolldown({
  input: file,
  platform: "node",
  onLog(_level, log) {
    throw new Error(`The renewal thread cannot be made one file: ${log.message}`);
  },
});
const { output } = await bundle.write({ file, format: "esm", sourcemap: true, codeSplitting: false });
await bundle.close();

const packages = new Set(output[0].moduleIds.map(packageOf).filter((folder) => folder?.includes("node_modules")));
const notices = [...packages].map((folder) => {
  const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return { name: `${name} ${version}`, text: licenseIn(folder) };
});
const sorted = notices.toSorted((one, other) => one.name.localeCompare(other.name));
const header = "renewal-thread.js holds code of these packages.\n";
writeFileSync(
  join(dist, "renewal-thread.LICENSES.txt"),
  [header, ...sorted.map(({ name, text }) => `${"=".repeat(80)}\n${name}\n\n${text.trim()}\n`)].join("\n"),
);

/** The folder of the package that a module is of. @param {string} moduleId */
function packageOf(moduleId) {
  if (!existsSync(moduleId)) return undefined;
  let folder = dirname(moduleId);
  // A package may hold folders that say no more in a package.json of their own than how their modules are written.
  while (!existsSync(join(folder, "package.json")) || !isNamed(join(folder, "package.json"))) {
    if (dirname(folder) === folder) return undefined;
    folder = dirname(folder);
  }
  return folder;
}

/** @param {string} manifest */
function isNamed(manifest) {
  return JSON.parse(readFileSync(manifest, "utf8")).version !== undefined;
}

/** @param {string} folder */
function licenseIn(folder) {
  const name = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (name !== undefined) return readFileSync(join(folder, name), "utf8");
  // Some have it in their repository alone.
  const { license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  if (typeof license !== "string") throw new Error(`${folder} names no license`);
  return `License: ${license}`;
}
