import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

/** String literals of the sources that are statements. */
function statements(): readonly { readonly file: string; readonly sql: string; readonly before: string }[] {
  const folder = import.meta.dirname;
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
    (file) => file.endsWith(".ts") && !file.endsWith(".spec.ts") && !file.startsWith("testing"),
  );
  return files.flatMap((file) => {
    const text = readFileSync(join(folder, file), "utf8");
    return [
      ...text.matchAll(/(?<before>\w+\(\s*)(?:"(?<plain>(?:select|delete)[^"]*)"|`(?<long>(?:select|delete)[^`]*)`)/gu),
    ].map(({ groups }) => ({
      file,
      sql: groups?.["plain"] ?? groups?.["long"] ?? "",
      before: groups?.["before"]?.trim() ?? "",
    }));
  });
}

it("every statement that SQLite would prepare anew at each run is steady", () => {
  const found = statements();
  expect(found.length).toBeGreaterThan(30);
  const unsteady = found.filter(
    ({ sql, before }) =>
      ((/order by[^]*$/u.test(sql) && sql.includes("?")) || sql.includes("limit ?")) && before !== "steady(",
  );
  expect(unsteady).toEqual([]);
});
