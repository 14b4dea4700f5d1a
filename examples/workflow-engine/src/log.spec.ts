import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { decodeFrames, encodeFrame, firstLine } from "./frames.ts";
import { Log, readLog } from "./log.ts";

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tq-log-"));
  path = join(folder, "engine.log");
});
afterEach(() => rm(folder, { recursive: true }));

describe("the log", () => {
  it("gives back what was appended, in order, over several openings", async () => {
    for (let opening = 0; opening < 3; opening++) {
      const { log, records } = await Log.open(path);
      expect(records).toEqual([0, 1, 2].slice(0, opening));
      await log.append([opening]);
      await log.close();
    }
    expect((await readLog(path)).records).toEqual([0, 1, 2]);
  });

  it("writes what is appended at once as one frame, and nothing for nothing", async () => {
    const { log } = await Log.open(path);
    await log.append([1, 2, 3]);
    await log.append([]);
    await log.append([4]);
    await log.close();
    const frames = (await readFile(path, "utf8")).trimEnd().split("\n").slice(1);
    expect(frames.length).toBe(2);
    expect((await readLog(path)).records).toEqual([1, 2, 3, 4]);
  });

  it.each([
    "",
    firstLine.slice(0, 5),
    firstLine + encodeFrame([1]).slice(0, -3),
    firstLine + encodeFrame([1, 2]).replace("1", "7"),
  ])("cuts a torn end off: %j", async (torn) => {
    await writeFile(path, torn);
    const { log, records } = await Log.open(path);
    expect(records).toEqual([]);
    await log.append(["after"]);
    await log.close();
    expect(await readFile(path, "utf8")).toBe(firstLine + encodeFrame(["after"]));
  });

  it("is refused, and left as it is, if it is damaged or no log at all", async () => {
    const damaged = firstLine + encodeFrame([1]).replace("1", "2") + encodeFrame([3]);
    await writeFile(path, damaged);
    await expect(Log.open(path)).rejects.toThrow(
      `${path} cannot be read as a workflow log: the frame at byte 27 is broken`,
    );
    expect(await readFile(path, "utf8")).toBe(damaged);
    await writeFile(path, "# Notes\n");
    await expect(Log.open(path)).rejects.toThrow('it does not begin with "tq workflow log, version 1"');
    expect(await readFile(path, "utf8")).toBe("# Notes\n");
  });

  it("belongs to one process, until that has gone", async () => {
    await writeFile(`${path}.lock`, `${process.ppid}\n`);
    await expect(Log.open(path)).rejects.toThrow(`in use by process ${process.ppid}`);
    await writeFile(`${path}.lock`, "4194305\n");
    const { log } = await Log.open(path);
    expect(await readFile(`${path}.lock`, "utf8")).toBe(`${process.pid}\n`);
    await log.close();
    await expect(readFile(`${path}.lock`)).rejects.toThrow("ENOENT");
  });

  it("writes nothing more once a write has failed", async () => {
    const { log } = await Log.open(path);
    const circular: unknown[] = [];
    circular.push(circular);
    await expect(log.append([circular])).rejects.toThrow("circular");
    await expect(log.append([1])).rejects.toThrow("circular");
    await log.close();
    expect((await readLog(path)).records).toEqual([]);
  });

  it("holds text of any kind", async () => {
    const text = 'é "quoted"\n\u2028 😀 \u0000';
    expect(decodeFrames(Buffer.from(firstLine + encodeFrame([text]))).records).toEqual([text]);
    await appendFile(path, firstLine);
    expect((await readLog(path)).records).toEqual([]);
  });
});
