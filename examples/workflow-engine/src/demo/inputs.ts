import type { Dirent } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";

/** The files that the demo works on. */
export interface Inputs {
  /** Absolute, without symbolic links. */
  readonly folder: string;
  /** Relative to the folder, in order. */
  readonly paths: readonly string[];
  /** What was left out, in words; empty if nothing was. */
  readonly leftOut: readonly string[];
}

/** There is nothing to work on. The message says why. */
export class NoInputsError extends Error {
  override readonly name = "NoInputsError";
}

/** Larger files are left out: their outlines might not fit into the result of a task. */
const maxFileBytes = 1024 * 1024;

const textFile = /\.(?:md|markdown|txt)$|^(?:readme|licen[cs]e|changelog|changes|history|notice|authors|copying)$/i;

/**
 * Markdown and text files under a folder, in order, at most `limit`. Symbolic links are not followed, and of hard links to
 * one file only the first counts: so a package that pnpm has put in several places is one.
 *
 * @throws NoInputsError
 */
export async function findInputs(name: string, limit: number): Promise<Inputs> {
  const folder = await realFolder(name);
  const paths: string[] = [];
  const seen = new Set<string>();
  let large = 0;
  let unreadable = 0;
  let isFull = false;

  const visit = async (under: string): Promise<void> => {
    let entries: Dirent[];
    try {
      entries = await readdir(join(folder, under), { withFileTypes: true });
    } catch {
      unreadable++;
      return;
    }
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = under === "" ? entry.name : `${under}/${entry.name}`;
      if (entry.isDirectory() && entry.name !== ".git") await visit(path);
      if (isFull || !entry.isFile() || !textFile.test(entry.name)) continue;
      const found = await stat(join(folder, path)).catch(() => undefined);
      const inode = `${found?.dev}:${found?.ino}`;
      if (found === undefined || seen.has(inode)) continue;
      seen.add(inode);
      if (found.size > maxFileBytes) large++;
      else if (paths.length === limit) isFull = true;
      else paths.push(path);
    }
  };
  await visit("");

  if (paths.length === 0) {
    throw new NoInputsError(
      `No Markdown or text files (.md, .markdown, .txt, README, LICENSE, …) under ${folder}; symbolic links are not ` +
        "followed. Name another folder: `pnpm demo FOLDER`.",
    );
  }
  const leftOut = [
    ...(isFull ? [`all but the first ${limit} files`] : []),
    ...(large > 0 ? [`${large} over 1 MiB`] : []),
    ...(unreadable > 0 ? [`${unreadable} folders that cannot be read`] : []),
  ];
  return { folder, paths, leftOut };
}

async function realFolder(name: string): Promise<string> {
  try {
    const folder = await realpath(name);
    if ((await stat(folder)).isDirectory()) return folder;
  } catch {
    throw new NoInputsError(`There is no folder ${name}. Name one that exists: \`pnpm demo FOLDER\`.`);
  }
  throw new NoInputsError(`${name} is no folder. Name the folder that it is in: \`pnpm demo FOLDER\`.`);
}
