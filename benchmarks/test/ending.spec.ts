import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";

const dist = fileURLToPath(new URL("../dist", import.meta.url));
const program = (name: string): string => join(dist, `${name}.js`);

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tq-ending-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

test.each(["main", "peers-main", "growth/main", "storage/main", "slots/main"])("%s says how it is used", (name) => {
  const { status, stdout } = spawnSync(process.execPath, [program(name), "--help"], { encoding: "utf8" });
  expect(stdout).toMatch(/^usage: pnpm bench/);
  expect(status).toBe(0);
});

test.each([
  ["main", ["--rounds", "0"], "--rounds must be a whole number, 1 or more"],
  ["main", ["--only", "nonsense"], '--only: there is no "nonsense"'],
  ["main", ["--rounds", "2", "--save"], "--save keeps a result of 3 rounds or more, not of 2"],
  ["peers-main", ["--nonsense"], "--nonsense"],
  ["growth/main", ["--scale", "2"], "--scale must be a number"],
  ["storage/main", ["--scale", ""], "--scale must be a number"],
  ["slots/main", ["--ms", "10,x"], '--ms must be a number, 0 or more, not "x"'],
])("%s %j names what it does not take, and does nothing", (name, args, message) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program(name), ...args], { encoding: "utf8" });
  expect(stderr).toContain(message);
  expect(stdout).toBe("");
  expect(status).toBe(2);
});

const isLinux = process.platform === "linux";

test.runIf(isLinux).each([
  ["growth/main", ["--only", "churn", "--scale", "0.01", "--churn-minutes", "5"], "SIGKILL"],
  ["growth/main", ["--only", "churn", "--scale", "0.01", "--churn-minutes", "5"], "SIGINT"],
  ["main", ["--rounds", "1", "--only", "bulk-add"], "SIGKILL"],
] as const)("%s %j that ends by %s leaves no process and no file", { timeout: 60_000 }, async (name, args, signal) => {
  const bench = spawn(process.execPath, [program(name), ...args], {
    env: { ...process.env, TQ_BENCH_DIR: folder },
    stdio: "ignore",
  });
  onTestFinished(() => void bench.kill("SIGKILL"));
  // A server that answers has its file.
  await expect.poll(() => processesOf(folder).length > 0 && hasFile(folder), { timeout: 30_000 }).toBe(true);
  bench.kill(signal);
  await expect.poll(() => processesOf(folder), { timeout: 30_000 }).toEqual([]);
  await expect.poll(() => readdirSync(folder), { timeout: 30_000 }).toEqual([]);
});

test.runIf(isLinux)("a scenario that fails leaves the others to go on", { timeout: 60_000 }, () => {
  const args = ["--only", "backlog,producers", "--scale", "0.001", "--within", "1"];
  // No server can be started without a folder to write to.
  const { status, stdout } = spawnSync(process.execPath, [program("growth/main"), ...args], {
    env: { ...process.env, TQ_BENCH_DIR: join(folder, "there is none") },
    encoding: "utf8",
  });
  expect(stdout.match(/FAILED its process ended with 1/g)).toHaveLength(2);
  expect(status).toBe(1);
});

function hasFile(path: string): boolean {
  return readdirSync(path, { recursive: true, encoding: "utf8" }).some((name) => name.endsWith("tq.db"));
}

/** The processes that name the folder among their arguments, or have it in their environment. */
function processesOf(path: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => ["cmdline", "environ"].some((file) => textOf(`/proc/${name}/${file}`).includes(path)))
    .map(Number);
}

/** Of a process that may have gone. */
function textOf(file: string): string {
  try {
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  } catch {
    return "";
  }
}
