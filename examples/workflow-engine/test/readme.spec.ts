import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const read = (path: string) => readFile(fileURLToPath(new URL(path, import.meta.url)), "utf8");

it("the README shows code that is run by the specs", async () => {
  const readme = await read("../README.md");
  const order = await read("../src/order.ts");
  const snippets = [...readme.matchAll(/```ts\n([^]*?)```/g)].map(([, code]) => code);
  expect(snippets.length).toBe(1);
  for (const snippet of snippets) expect(order).toContain(snippet);
});

it("the README links to files that exist", async () => {
  const readme = await read("../README.md");
  for (const [, path] of readme.matchAll(/\]\(((?:src|test)\/[^)]*)\)/g)) await read(`../${path}`);
});
