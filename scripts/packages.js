// Packs every package that is published, looks at what is in it, installs all of them into an empty project with npm, and
// runs the examples of their READMEs there, against a server started from there. Needs the registry for what is not ours.
import { spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { snippetsOf } from "../packages/testing/test/snippets.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const address = "127.0.0.1:7333";
/** Ways of resolving that need `require`, or know nothing of `exports`: the packages are ES modules for Node 22. */
const ignoredResolutions = new Set(["node10", "node16-cjs"]);
/** What a manifest says that is published. */
const wanted = ["name", "version", "description", "license", "type", "files", "exports", "engines"];

/** @param {string} command @param {string[]} args @param {{ cwd: string }} options */
function run(command, args, options) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { ...options, encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed:\n${stdout}${stderr}${error?.message ?? ""}`);
  return stdout;
}

/** Published packages, by their folders. */
function publishedPackages() {
  return globSync(["packages/*/package.json", "apps/*/package.json"], { cwd: root })
    .map((path) => ({
      folder: join(root, path, ".."),
      manifest: JSON.parse(readFileSync(join(root, path), "utf8")),
    }))
    .filter(({ manifest }) => manifest.private !== true);
}

/** Takes away what earlier builds made of files that are gone: tsc and turbo leave it. @param {string} folder */
function removeLeftovers(folder) {
  for (const map of globSync("dist/**/*.map", { cwd: folder })) {
    const { sources } = JSON.parse(readFileSync(join(folder, map), "utf8"));
    if (sources.every((/** @type {string} */ source) => existsSync(join(folder, map, "..", source)))) continue;
    for (const file of [map, map.slice(0, -".map".length)]) rmSync(join(folder, file), { force: true });
  }
}

/** Packs a package; answers the file. @param {string} folder @param {string} into */
function pack(folder, into) {
  removeLeftovers(folder);
  const before = new Set(readdirSync(into));
  run("pnpm", ["pack", "--pack-destination", into], { cwd: folder });
  const [made] = readdirSync(into).filter((name) => !before.has(name));
  if (made === undefined) throw new Error(`pnpm pack made nothing of ${folder}`);
  return join(into, made);
}

/** What is wrong with a tarball. @param {string} tarball */
async function problemsOf(tarball) {
  const problems = [];
  const data = readFileSync(tarball);
  const content = createPackageFromTarballData(new Uint8Array(data));
  const prefix = `/node_modules/${content.packageName}/`;
  const files = content.listFiles().map((path) => path.slice(prefix.length));
  const manifest = JSON.parse(content.readFile(`${prefix}package.json`));

  for (const field of wanted) if (manifest[field] === undefined) problems.push(`package.json has no ${field}`);
  if (/"(workspace|catalog):/.test(JSON.stringify(manifest)))
    problems.push("package.json names the workspace's versions");
  for (const file of ["README.md", "LICENSE"]) if (!files.includes(file)) problems.push(`there is no ${file}`);
  for (const file of files) {
    if (/\.spec\.|(^|\/)test\/|vitest|tsconfig|turbo\.json|\.tsbuildinfo/.test(file))
      problems.push(`${file} should not be in it`);
    if (!file.endsWith(".map")) continue;
    // A map is of use where its source is there.
    const { sources } = JSON.parse(content.readFile(prefix + file));
    for (const source of sources) {
      const path = join(file, "..", source);
      if (!files.includes(path)) problems.push(`${file} is about ${path}, which is not in it`);
    }
  }
  for (const file of files) {
    if (file.endsWith(".js") && file.startsWith("dist/") && !files.includes(`${file}.map`))
      problems.push(`${file} has no source map`);
  }

  const { messages, pkg } = await publint({ pack: { tarball: new Uint8Array(data).buffer }, strict: true });
  for (const message of messages) {
    // There is no repository to name yet.
    if (message.code !== "USE_REPOSITORY") problems.push(`publint: ${formatMessage(message, pkg)}`);
  }
  const types = await checkPackage(content);
  for (const problem of types.types === false ? [] : types.problems) {
    if ("resolutionKind" in problem && ignoredResolutions.has(problem.resolutionKind)) continue;
    problems.push(`arethetypeswrong: ${JSON.stringify(problem)}`);
  }
  if (types.types === false) problems.push("arethetypeswrong: it has no types");
  return problems;
}

/** A port that nobody has now. @returns {Promise<number>} */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => void server.once("listening", resolve));
  const bound = server.address();
  await new Promise((resolve) => void server.close(resolve));
  if (bound === null || typeof bound === "string") throw new Error("no port");
  return bound.port;
}

/** Starts the server of an installed project, and waits until it says that it listens. @param {string} project @param {number} port */
async function startServer(project, port) {
  const args = ["server", "start", "--listen", `127.0.0.1:${port}`, "--data", join(project, "data")];
  const server = spawn(join(project, "node_modules/.bin/tq"), args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  await new Promise((resolve, reject) => {
    const read = (/** @type {Buffer} */ chunk) => {
      said += chunk.toString();
      if (said.includes(`127.0.0.1:${port}`)) resolve(undefined);
    };
    server.stdout.on("data", read);
    server.stderr.on("data", read);
    server.once("exit", (status) => reject(new Error(`the installed server ended with status ${status}:\n${said}`)));
  });
  server.removeAllListeners("exit");
  return server;
}

/** Compiles and runs the examples of a README in a project. @param {string} name @param {string} readme @param {string} project @param {number} port */
function runExamples(name, readme, project, port) {
  const folder = join(project, name.replaceAll(/\W/g, "-"));
  mkdirSync(folder);
  const serving = [];
  let ran = 0;
  try {
    for (const { file, code, use, output } of snippetsOf(readme).modules) {
      const path = join(folder, file);
      writeFileSync(path, code.replaceAll(address, `127.0.0.1:${port}`));
      if (use === "serve") serving.push(spawn(process.execPath, [path], { stdio: "inherit" }));
      if (use !== "run") continue;
      const stdout = run(process.execPath, [path], { cwd: project });
      if (output.length > 0 && stdout.trimEnd() !== output.join("\n"))
        throw new Error(`${name}: ${file} printed:\n${stdout}`);
      ran++;
    }
  } finally {
    for (const child of serving) child.kill("SIGKILL");
  }
  return ran;
}

const began = performance.now();
const work = mkdtempSync(join(tmpdir(), "tq-packages-"));
try {
  const tarballs = join(work, "tarballs");
  const project = join(work, "project");
  mkdirSync(tarballs);
  mkdirSync(project);
  const packages = publishedPackages().map((each) => ({ ...each, tarball: pack(each.folder, tarballs) }));
  let wrong = 0;
  for (const { manifest, tarball } of packages) {
    for (const problem of await problemsOf(tarball)) {
      console.error(`${manifest.name}: ${problem}`);
      wrong++;
    }
  }
  if (wrong > 0) throw new Error(`${wrong} things are wrong with the packages`);
  console.log(`${packages.length} packages are in order (${((performance.now() - began) / 1_000).toFixed(0)} s).`);

  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "empty", private: true, type: "module" }));
  const options = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--loglevel=error"];
  run("npm", ["install", ...options, ...packages.map(({ tarball }) => tarball)], { cwd: project });
  console.log(`They install into an empty project (${((performance.now() - began) / 1_000).toFixed(0)} s).`);

  const port = await freePort();
  const server = await startServer(project, port);
  try {
    for (const { folder, manifest } of packages) {
      const count = runExamples(manifest.name, readFileSync(join(folder, "README.md"), "utf8"), project, port);
      if (count > 0) console.log(`${manifest.name}: ${count} example(s) ran there.`);
    }
  } finally {
    server.kill("SIGKILL");
  }
  console.log(`Done in ${((performance.now() - began) / 1_000).toFixed(0)} s.`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}
