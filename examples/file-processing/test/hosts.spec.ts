import { createHash, randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client, type TaskDescription } from "@tq/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { download, summarize } from "../src/files.ts";
import { Processes } from "./processes.ts";

// Three processes start for each test, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 });

let processes: Processes;
let client: Client;

beforeEach(async () => {
  processes = new Processes();
  await processes.startServer();
  client = Client.create({ address: processes.address });
  for (const name of ["one", "two"]) processes.startHost(name);
});
afterEach(async () => {
  await client.close();
  await processes.remove();
});

/** Files to download, and what each should come to. */
function sources(count: number) {
  return Array.from({ length: count }, (_, n) => {
    const source = join(processes.folder, `source-${n}`);
    const content = randomBytes(1_000 + n);
    writeFileSync(source, content);
    const expected = { source, bytes: content.length, sha256: createHash("sha256").update(content).digest("hex") };
    return { source, expected };
  });
}

test("a file is processed on the host that downloaded it", async () => {
  const files = sources(10);
  await Promise.all(
    files.map(async ({ source, expected }) => {
      const downloaded = await download(client, source);
      expect(await summarize(client, downloaded, "1m")).toEqual({ ...expected, host: downloaded.host });
    }),
  );
});

test("a host that is killed in between has its files processed elsewhere, downloaded again", async () => {
  const files = sources(10);
  const downloads = await Promise.all(files.map(({ source }) => download(client, source)));
  const killed = downloads[0]!.host;
  const left = killed === "one" ? "two" : "one";
  await processes.kill(killed);
  rmSync(processes.folderOf(killed), { recursive: true });
  const summaries = await Promise.all(downloads.map((downloaded) => summarize(client, downloaded, "1s")));
  expect(summaries).toEqual(files.map(({ expected }) => ({ ...expected, host: left })));
});

test("a host that has a file no more gives it to the others, and uses no attempt for that", async () => {
  const [{ source, expected }] = sources(1) as [ReturnType<typeof sources>[number]];
  const downloaded = await download(client, source);
  rmSync(downloaded.path);
  const { host: _, ...summary } = await summarize(client, downloaded, "1m");
  expect(summary).toEqual(expected);
  const tasks: TaskDescription[] = [];
  for await (const task of client.tasks.list({ types: ["downloadAndSummarize"] })) tasks.push(task);
  expect(tasks).toMatchObject([{ state: "COMPLETED", attempt: 1 }]);
});
