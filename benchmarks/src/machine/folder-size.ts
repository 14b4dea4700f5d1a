import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Bytes that the files below a folder take up on the disk. What goes while it is looked at counts as nothing. */
export function folderBytes(folder: string): number {
  let bytes = 0;
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const stat = lstatSync(join(folder, name), { throwIfNoEntry: false });
    // Blocks are of 512 bytes, whatever the disk's are.
    if (stat?.isFile() === true) bytes += stat.blocks * 512;
  }
  return bytes;
}
