/* Every block of TypeScript in a README or guide compiles, and those that say so run and print what they say. */
import { execFile, spawn } from "node:child_process";
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort, ServerProcess } from "./server-process.ts";
import { type SnippetModule, snippetsOf } from "./snippets.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../..", import.meta.url));
const here = fileURLToPath(new URL("..", import.meta.url));
const patterns = ["*.md", "docs/**/*.md", "{packages,apps,examples}/*/README.md", "benchmarks/README.md"];

const documents = globSync(patterns, { cwd: root }).map((path) => {
  const { modules, excerpts } = snippetsOf(readFileSync(join(root, path), "utf8"));
  return { path, modules, excerpts, folder: path.replaceAll(/\W/g, "-") };
});
const withRuns = documents.filter(({ modules }) => modules.some(({ use }) => use === "run"));

/** What READMEs call the server's address. */
const address = "127.0.0.1:7333";
/** Inside this package, so that imports resolve as a user's would; Node strips the types. */
let folder: string;
let server: ServerProcess;
let compiled: string;

beforeAll(async () => {
  folder = mkdtempSync(join(here, ".documents-"));
  server = new ServerProcess(await freePort());
  await server.start();
  for (const document of documents) {
    mkdirSync(join(folder, document.folder));
    for (const { file, code } of document.modules) {
      writeFileSync(join(folder, document.folder, file), code.replaceAll(address, `127.0.0.1:${server.port}`));
    }
  }
  const config = { extends: "../../../tsconfig.base.json", include: ["**/*.ts"] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  compiled = await run(join(root, "node_modules/.bin/tsc"), ["-p", folder, "--pretty", "false"], { cwd: folder }).then(
    () => "",
    (error: unknown) => String((error as { stdout: unknown }).stdout),
  );
}, 60_000);

afterAll(async () => {
  await server.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the modules of a document, in order; those that serve go on until the end. */
async function runAll(document: (typeof documents)[number]): Promise<(readonly [SnippetModule, string])[]> {
  const outputs: (readonly [SnippetModule, string])[] = [];
  const serving: ReturnType<typeof spawn>[] = [];
  try {
    for (const module of document.modules) {
      const file = join(folder, document.folder, module.file);
      if (module.use === "serve") serving.push(spawn(process.execPath, [file], { stdio: "inherit" }));
      if (module.use !== "run") continue;
      const { stdout } = await run(process.execPath, [file], { timeout: 20_000 });
      outputs.push([module, stdout]);
    }
  } finally {
    for (const child of serving) child.kill("SIGKILL");
  }
  return outputs;
}

test("there are blocks to look at", () => {
  expect(documents.flatMap(({ modules }) => modules).length).toBeGreaterThan(15);
  expect(withRuns.map(({ path }) => path)).toEqual(
    expect.arrayContaining([
      "README.md",
      ...["client", "proto", "testing", "worker-sdk"].map((name) => `packages/${name}/README.md`),
    ]),
  );
});

describe.each(documents.filter(({ modules, excerpts }) => modules.length + excerpts.length > 0))(
  "$path",
  (document) => {
    test("every block of TypeScript compiles", () => {
      const errors = compiled.split("\n").filter((line) => line.startsWith(`${document.folder}/`));
      expect(errors).toEqual([]);
      // An error of something else would leave some blocks unlooked at.
      expect(compiled.split("\n").filter((line) => line !== "" && !/^(\S+\/| )/.test(line))).toEqual([]);
    });

    test.runIf(document.excerpts.length > 0)("every excerpt stands so in its file", () => {
      for (const { file, code } of document.excerpts) {
        expect(readFileSync(join(root, dirname(document.path), file), "utf8")).toContain(code);
      }
    });

    test.runIf(withRuns.includes(document))(
      "what is to be run runs, and prints what it says",
      async () => {
        for (const [{ output }, stdout] of await runAll(document)) {
          if (output.length > 0) expect(stdout.trimEnd().split("\n")).toEqual(output);
        }
      },
      60_000,
    );
  },
);

test("the root README's calls by hand do what they say", async () => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const blocks = [...readme.matchAll(/^```sh\n(.*?)^```/gms)].map(([, code]) => code!);
  const calls = blocks
    .find((block) => block.includes("curl"))!
    .replaceAll(address, `127.0.0.1:${server.port}`)
    // A queue that no worker of the other tests has.
    .replaceAll('"greetings"', '"by-hand"');
  const { stdout } = await run("sh", ["-c", calls]);
  const [added, polled] = stdout.split(/(?<=\})(?=\{)/).map((text) => JSON.parse(text) as { tasks: object[] });
  expect(added!.tasks).toMatchObject([{ run: 1 }]);
  expect(polled!.tasks).toMatchObject([{ type: "greet", attempt: 1, input: [{ text: '"world"' }] }]);
});
