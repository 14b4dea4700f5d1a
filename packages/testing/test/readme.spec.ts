import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import { freePort, ServerProcess } from "./server-process.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../..", import.meta.url));
const here = fileURLToPath(new URL("..", import.meta.url));

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** The code blocks of a language in the README, with the default address put to the test's. */
function snippets(language: string, port: number): readonly string[] {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const blocks = [...readme.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms"))];
  return blocks.map(([, code]) => code!.replaceAll("127.0.0.1:7333", `127.0.0.1:${port}`));
}

test("the README's worker, client and curl calls compile and do what it says", { timeout: 60_000 }, async () => {
  const server = new ServerProcess(await freePort());
  cleanUps.push(async () => server.remove());
  await server.start();
  const [worker, client] = snippets("ts", server.port);
  // Inside this package, so that its imports resolve as a user's would; Node strips the types.
  const folder = mkdtempSync(join(here, ".readme-"));
  cleanUps.push(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "worker.ts"), worker!);
  writeFileSync(join(folder, "client.ts"), client!);
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ extends: "../../../tsconfig.base.json", include: ["*.ts"] }),
  );
  await run("tsc", ["-p", folder], {
    cwd: root,
    env: { ...process.env, PATH: `${join(root, "node_modules/.bin")}:${process.env["PATH"]}` },
  });

  const working = spawn(process.execPath, [join(folder, "worker.ts")], { stdio: "inherit" });
  cleanUps.push(() => working.kill("SIGKILL"));
  const { stdout } = await run(process.execPath, [join(folder, "client.ts")], { timeout: 20_000 });
  expect(stdout).toBe("Hello, world!\n");

  // The calls by hand: add, then poll. Without the worker, so that the poll gets it.
  working.kill("SIGKILL");
  const curl = snippets("sh", server.port).find((block) => block.includes("curl"))!;
  const other = curl.replaceAll('"greetings"', '"by-hand"');
  const { stdout: replies } = await run("sh", ["-c", other]);
  const [added, polled] = replies.split(/(?<=\})(?=\{)/).map((text) => JSON.parse(text) as { tasks: object[] });
  expect(added!.tasks).toMatchObject([{ run: 1 }]);
  expect(polled!.tasks).toMatchObject([{ type: "greet", attempt: 1, input: [{ text: '"world"' }] }]);
});
