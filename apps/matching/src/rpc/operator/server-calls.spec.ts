import { OperatorService } from "@tq/proto";
import { StoreError } from "@tq/storage";
import { describe, expect, it } from "vitest";
import { inMemory, refusalOf } from "../../../test/in-memory.ts";
import { collect, firstOf } from "../../../test/streams.ts";

describe("GetServerInfo", () => {
  it("tells what this server is and how its services do", async () => {
    const { client, matching } = inMemory(OperatorService);
    matching.waitingPolls = 3;
    const info = await client.getServerInfo({});
    expect(info).toMatchObject({ version: "1.2.3", instanceId: "instance", epoch: 7n, waitingPolls: 3 });
    expect(info.services).toMatchObject([{ name: "committer", running: true }]);
  });
});

describe("BackupServer", () => {
  it("tells how far it is, and at the end how large the copy is", async () => {
    const { client, matching } = inMemory(OperatorService);
    const goOn = Promise.withResolvers<void>();
    matching.onBackup = async (_path, onProgress) => {
      onProgress({ pagesTotal: 10, pagesRemaining: 4 });
      await goOn.promise;
      return { bytes: 40_960 };
    };
    const stream = client.backupServer({ path: "/backups/tq.db" })[Symbol.asyncIterator]();
    expect((await stream.next()).value).toMatchObject({ pagesTotal: 10n, pagesRemaining: 4n, done: false });
    goOn.resolve();
    expect((await stream.next()).value).toMatchObject({
      pagesTotal: 10n,
      pagesRemaining: 0n,
      done: true,
      bytes: 40_960n,
    });
    expect((await stream.next()).done).toBe(true);
  });

  it("ends once its caller is gone", async () => {
    const { client, matching } = inMemory(OperatorService);
    const gone = new AbortController();
    const ended = Promise.withResolvers<unknown>();
    const aborted = Promise.withResolvers<void>();
    matching.onBackup = async (_path, onProgress) => {
      onProgress({ pagesTotal: 2, pagesRemaining: 1 });
      await aborted.promise;
      try {
        onProgress({ pagesTotal: 2, pagesRemaining: 0 });
      } catch (error) {
        ended.resolve(error);
        throw error;
      }
      ended.resolve("went on");
      return { bytes: 1 };
    };
    const stream = client.backupServer({ path: "/b" }, { signal: gone.signal })[Symbol.asyncIterator]();
    await stream.next();
    gone.abort();
    expect(await refusalOf(stream.next())).toMatchObject({ code: "Canceled" });
    aborted.resolve();
    expect(await ended.promise).toBeInstanceOf(Error);
  });

  it("refuses a file that cannot be written, as a mistake of its caller", async () => {
    const { client, matching, incidents } = inMemory(OperatorService);
    matching.onBackup = () => Promise.reject(new StoreError("unusable", "cannot write the backup to /b: it exists"));
    expect(await refusalOf(collect(client.backupServer({ path: "/b" })))).toEqual({
      code: "InvalidArgument",
      reason: "INVALID_FIELD",
      fields: ["path"],
    });
    expect(incidents).toEqual([]);
  });

  it.each(["", "tq.db", "./tq.db", "/a\0b", `/${"x".repeat(4_096)}`])("refuses the path %j", async (path) => {
    const { client } = inMemory(OperatorService);
    expect((await refusalOf(firstOf(client.backupServer({ path })))).fields).toContain("path");
  });
});
