import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { expect, test } from "vitest";

const dist = new URL("../dist/", import.meta.url);

test("the renewal thread is one file, which loads nothing but what Node has in it", () => {
  const code = readFileSync(new URL("renewal-thread.js", dist), "utf8");
  const imported = Array.from(
    code.matchAll(/^(?:import|export) .*?from "(.+?)";$|^import "(.+?)";$/gm),
    (match) => match[1] ?? match[2],
  );
  expect(imported.length).toBeGreaterThan(3);
  expect(imported.filter((name) => name === undefined || !isBuiltin(name))).toEqual([]);
});

test("the licenses of what is in it lie beside it", () => {
  const licenses = readFileSync(new URL("renewal-thread.LICENSES.txt", dist), "utf8");
  expect(licenses).toContain("\nundici ");
  expect(licenses).toContain("\n@bufbuild/protobuf ");
  expect(licenses).toContain("MIT License");
  expect(licenses).toContain("Apache License");
});
