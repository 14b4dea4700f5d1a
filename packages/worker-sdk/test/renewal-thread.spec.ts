import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { expect, onTestFinished, test } from "vitest";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));

test("the renewal thread is one file, which runs where nothing is beside it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tq-thread-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "renewal-thread.cjs");
  copyFileSync(join(dist, "renewal-thread.cjs"), file);
  const thread = new Worker(pathToFileURL(file));
  onTestFinished(async () => void (await thread.terminate()));
  const settings = {
    workerId: "w",
    identity: "",
    buildId: "",
    activityTypes: [],
    workflowTypes: [],
    taskQueues: [],
    leaseMs: 3_000,
  };
  const data = {
    address: "127.0.0.1:1",
    httpVersion: "1.1",
    namespace: "default",
    settings,
    blockedAfterMs: 60_000,
    isOwnerMain: true,
    status: new SharedArrayBuffer(16),
  };
  const { promise: news, resolve, reject } = Promise.withResolvers<unknown>();
  thread.on("message", resolve).on("error", reject);
  thread.postMessage({ kind: "open", renewal: 1, data });
  // So it has made a call, and understood how that ended.
  expect(await news).toMatchObject({
    renewal: 1,
    news: { kind: "calls", event: { kind: "failed", call: "RenewLeases" } },
  });
});

test("the licenses of what is in it lie beside it, with their texts", () => {
  const licenses = readFileSync(join(dist, "renewal-thread.LICENSES.txt"), "utf8");
  const [, ...notices] = licenses.split(`${"=".repeat(80)}\n`);
  const names = notices.map((notice) => notice.split(" ", 1)[0]);
  expect(names).toEqual(expect.arrayContaining(["@bufbuild/protobuf", "@connectrpc/connect", "undici"]));
  for (const notice of notices) expect(notice).toMatch(/Permission is hereby granted|TERMS AND CONDITIONS FOR USE/);
});
