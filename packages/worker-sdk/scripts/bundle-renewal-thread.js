// Makes one file of the renewal thread and all that it imports. A thread loads every module anew: some 300 files took half a
// second of processor time each time a worker was started, while its first tasks came in; one file takes a fifth of that. It is a
// CommonJS module, since an ES module that imports `node:http` makes Node load its own HTTP client as well.
// Beside it goes a file with the licenses of what is in it.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const licenses = fileURLToPath(new URL("licenses/", import.meta.url));
const entry = join(dist, "renewal-thread.js");
const file = join(dist, "renewal-thread.cjs");

/** Begins the id of a module that is no file. */
const virtual = "\0pool-of-undici:";

/**
 * undici's pool in the place of all of it: the client uses nothing else, and the rest would be a third of the file.
 *
 * @type {import("rolldown").Plugin}
 */
const poolOfUndici = {
  name: "pool-of-undici",
  async resolveId(id, importer) {
    if (id !== "undici") return null;
    const pool = await this.resolve("undici/lib/dispatcher/pool.js", importer);
    if (pool === null) throw new Error("undici has its pool in another place by now: look there for it");
    return `${virtual}${pool.id}`;
  },
  load(id) {
    if (!id.startsWith(virtual)) return null;
    return `export { default as Pool } from ${JSON.stringify(id.slice(virtual.length))};`;
  },
};

/** @type {string[]} */
const problems = [];
const bundle = await rolldown({
  input: entry,
  platform: "node",
  plugins: [poolOfUndici],
  onLog: (level, log) => void (level === "warn" && problems.push(log.message)),
});
const { output } = await bundle.write({ file, format: "cjs", codeSplitting: false });
await bundle.close();
// Of what tsc made nobody needs more; and there is no map, which would be twice as large and lead to files that are not published.
for (const end of ["js", "js.map", "d.ts", "d.ts.map"]) rmSync(join(dist, `renewal-thread.${end}`));

const [chunk] = output;
for (const name of [...chunk.imports, ...chunk.dynamicImports])
  if (!isBuiltin(name)) problems.push(`it still imports ${name}`);
if (problems.length > 0) throw new Error(`The renewal thread could not be made one file: ${problems.join("; ")}`);

const folders = new Set(chunk.moduleIds.map(packageOf).filter((folder) => folder?.includes("node_modules")));
const notices = [...folders].map((folder) => {
  const { name, version, license } = manifestIn(folder);
  return `${"=".repeat(80)}\n${name} ${version} (${license})\n\n${textsIn(folder, license).trim()}\n`;
});
const header = "renewal-thread.cjs holds code of these packages.\n";
writeFileSync(join(dist, "renewal-thread.LICENSES.txt"), [header, ...notices.toSorted()].join("\n"));

/** The folder of the package that a module is of; undefined for what the bundler makes itself. @param {string} moduleId */
function packageOf(moduleId) {
  // Folders within a package may have a package.json too, which says no more than how their modules are written.
  for (let folder = dirname(moduleId); folder !== dirname(folder); folder = dirname(folder))
    if (manifestIn(folder)?.version !== undefined) return folder;
  return undefined;
}

/** @param {string} folder */
function manifestIn(folder) {
  const path = join(folder, "package.json");
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined;
}

/** The texts of a package's licenses. Some packages have theirs in their repository alone. @param {string} folder @param {string} license */
function textsIn(folder, license) {
  const name = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (name !== undefined) return readFileSync(join(folder, name), "utf8");
  const ids = license.match(/[\w.-]+/g)?.filter((id) => !["AND", "OR", "WITH"].includes(id)) ?? [];
  return ids.map((id) => readFileSync(join(licenses, `${id}.txt`), "utf8")).join("\n");
}
