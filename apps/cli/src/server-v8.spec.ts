import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { serverV8Flags } from "./server-v8.ts";

test("V8 knows each flag that it is told for a server: one that it does not know it passes over", () => {
  const known = execFileSync(process.execPath, ["--v8-options"], { encoding: "utf8", maxBuffer: 16 * 1024 * 1024 });
  for (const flag of serverV8Flags) {
    const [name = ""] = flag.replace(/^--(no-)?/, "").split("=");
    expect(known).toMatch(new RegExp(`^ +--${name} `, "m"));
  }
});
