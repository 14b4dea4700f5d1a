import { link, mkdir, mkdtemp, realpath, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findInputs, NoInputsError } from "./inputs.ts";

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "tq-inputs-")));
});
afterEach(() => rm(folder, { recursive: true }));

async function write(...paths: string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(join(folder, path, ".."), { recursive: true });
    await writeFile(join(folder, path), path);
  }
}

describe("the demo's inputs", () => {
  it("are Markdown and text files, in order, each once", async () => {
    await write("b/README", "b/x.js", "a.txt", "c.MD", "d.markdown", ".git/e.md", "z/LICENSE", "z/LICENSES");
    await symlink(join(folder, "b"), join(folder, "linked"));
    await symlink(join(folder, "a.txt"), join(folder, "linked.txt"));
    await link(join(folder, "a.txt"), join(folder, "y.txt"));
    const inputs = await findInputs(folder, 100);
    expect(inputs).toEqual({ folder, paths: ["a.txt", "b/README", "c.MD", "d.markdown", "z/LICENSE"], leftOut: [] });
    await symlink(folder, `${folder}-link`);
    await expect(findInputs(`${folder}-link`, 100)).resolves.toEqual(inputs);
    await rm(`${folder}-link`);
  });

  it("say what was left out", async () => {
    await write("a.txt", "b.txt", "c.txt", "big.txt");
    await truncate(join(folder, "big.txt"), 1024 * 1024 + 1);
    const { paths, leftOut } = await findInputs(folder, 2);
    expect(paths).toEqual(["a.txt", "b.txt"]);
    expect(leftOut).toEqual(["all but the first 2 files", "1 over 1 MiB"]);
  });

  it("have to exist", async () => {
    await write("x.js");
    await expect(findInputs(folder, 9)).rejects.toThrow(NoInputsError);
    await expect(findInputs(folder, 9)).rejects.toThrow(`No Markdown or text files`);
    await expect(findInputs(join(folder, "no"), 9)).rejects.toThrow("There is no folder");
    await expect(findInputs(join(folder, "x.js"), 9)).rejects.toThrow("is no folder");
  });
});
