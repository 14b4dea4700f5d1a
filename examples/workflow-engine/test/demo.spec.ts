import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const main = fileURLToPath(new URL("../src/demo.ts", import.meta.url));

let folder: string;
let temporary: string;
let demos: ChildProcess[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tq-demo-spec-"));
  temporary = join(folder, "tmp");
  await mkdir(temporary);
  demos = [];
});
afterEach(async () => {
  for (const { pid } of demos) if (pid !== undefined && isGroupAlive(pid)) process.kill(-pid, "SIGKILL");
  await rm(folder, { recursive: true });
});

/** Starts the demo in a process group of its own, which its children share. */
function demo(...args: string[]) {
  const env = { ...process.env, TMPDIR: temporary, INIT_CWD: folder };
  const child = spawn(process.execPath, [main, ...args], { env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  demos.push(child);
  const printed = { out: "", err: "" };
  child.stdout.on("data", (chunk: Buffer) => (printed.out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (printed.err += chunk.toString()));
  const ended = once(child, "close").then(([status]) => ({ status: status as number, ...printed }));
  return { pid: child.pid!, printed, ended };
}

function isGroupAlive(pid: number): boolean {
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function writeFiles(count: number): Promise<void> {
  for (let number = 0; number < count; number++) {
    const links = Array.from({ length: number }, (_, link) => `[${link}](https://example.com/${number}/${link})`);
    await writeFile(join(folder, `${number}.md`), `# File ${number}\n\n${links.join(" and ")}\n`);
  }
}

const isUp = { timeout: 15_000, interval: 20 };

describe("the demo", () => {
  it("does its work through both kills, and leaves nothing behind", async () => {
    await writeFiles(40);
    const { pid, ended } = demo(".");
    const { status, out, err } = await ended;
    expect(err).toBe("");
    expect(out).toMatch(/^40 Markdown and text files under /);
    expect(out).toMatch(/SIGKILL to worker 1 after \d+ workflows; worker 3 takes its place/);
    expect(out).toMatch(/SIGKILL to the server after \d+ workflows/);
    expect(out).toMatch(/report {12}40 files: \d+ words, 40 headings, 780 links/);
    expect(out).toMatch(/tasks run {9}280 /);
    expect(out).toMatch(/attempts {10}\d+, of which \d+ redeliveries/);
    const [, events, ready] = /workflow events {3}(\d+) after the first, of which (\d+) found/.exec(out) ?? [];
    expect(Number(ready) / Number(events)).toBeGreaterThan(0.95);
    expect(out).toMatch(/dispatch latency {2}p50 (\d+|under 1) ms, p99 (\d+|under 1) ms/);
    expect(out).toMatch(
      /The report is the same as one computed directly\. Every workflow ended once; nothing was lost\.\n$/,
    );
    expect(status).toBe(0);
    expect(isGroupAlive(pid)).toBe(false);
    expect(await readdir(temporary)).toEqual([]);
  }, 40_000);

  it("leaves nothing behind on Ctrl-C", async () => {
    await writeFiles(40);
    const { pid, printed, ended } = demo(folder);
    await expect.poll(() => printed.out, isUp).toContain("are up");
    process.kill(-pid, "SIGINT");
    const { status, err } = await ended;
    expect([status, err.trim()]).toEqual([130, "Stopped by SIGINT."]);
    expect(isGroupAlive(pid)).toBe(false);
    expect(await readdir(temporary)).toEqual([]);
  }, 30_000);

  it("says what failed, and keeps the logs", async () => {
    await writeFiles(40);
    const { pid, printed, ended } = demo(folder);
    await expect.poll(() => printed.out, isUp).toContain("are up");
    const engine = execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8" })
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .find(([, parent, ...args]) => Number(parent) === pid && args.join(" ").includes("engine-process"));
    process.kill(Number(engine![0]), "SIGKILL");
    const { status, err } = await ended;
    expect(status).toBe(1);
    expect(err).toContain("The demo failed. The engine was ended by SIGKILL.");
    const [kept] = await readdir(temporary);
    expect(err).toContain(`Data and logs are kept in ${join(temporary, kept!)}`);
    expect(await readdir(join(temporary, kept!))).toEqual(expect.arrayContaining(["server.log", "engine.log"]));
    expect(isGroupAlive(pid)).toBe(false);
  }, 30_000);

  it.each<[string, string[], number, RegExp]>([
    ["a folder that does not exist", ["nowhere"], 2, /There is no folder .*nowhere\. Name one that exists/],
    ["a folder without files", ["tmp"], 2, /No Markdown or text files/],
    ["an option that it does not know", ["--fast"], 2, /Unknown option '--fast'[^]*Usage: pnpm demo \[FOLDER\]/],
    ["two folders", ["a", "b"], 2, /One folder at most; 2 were given\.[^]*Usage/],
  ])("refuses %s", async (_, args, expected, message) => {
    const { status, out, err } = await demo(...args).ended;
    expect([status, out]).toEqual([expected, ""]);
    expect(err).toMatch(message);
    expect(err).not.toMatch(/\n {4}at /);
  });

  it("explains itself", async () => {
    const { status, out } = await demo("--help").ended;
    expect(status).toBe(0);
    expect(out).toMatch(/^Usage: pnpm demo \[FOLDER\]/);
  });
});
