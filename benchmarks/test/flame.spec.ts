import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { flameGraphs } from "../dist/flame/flame-graphs.js";

test("flame graphs are made of server and client for each phase", { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "tq-flame-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  await flameGraphs(folder, { backlog: 4_000, single: 40, atRateMs: 200 }, () => {});
  expect(readdirSync(folder).toSorted()).toEqual([
    "README.md",
    "add-and-drain-client.svg",
    "add-and-drain-server.svg",
    "add-client.svg",
    "add-one-client.svg",
    "add-one-server.svg",
    "add-server.svg",
    "at-rate-client.svg",
    "at-rate-server.svg",
    "drain-client.svg",
    "drain-server.svg",
    "idle-latency-client.svg",
    "idle-latency-server.svg",
  ]);
  // The server's own work, and the client's: neither is the other's profile.
  expect(readFileSync(join(folder, "add-server.svg"), "utf8")).toContain("packages/storage-sqlite/dist/");
  expect(readFileSync(join(folder, "add-client.svg"), "utf8")).toContain("packages/client/dist/");
});
