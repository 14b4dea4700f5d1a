import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** Where the peers' adapters and their client libraries are. dist/contenders is two folders below the package. */
export const peersFolder = fileURLToPath(new URL("../../peers", import.meta.url));

/** URL of a peer's adapter. */
export function peerAdapter(name: string): string {
  return pathToFileURL(join(peersFolder, `${name}.js`)).href;
}

/** Installs the peers' client libraries as their lock file has them, which `pnpm install` of tq leaves out. */
export function installPeerPackages(): void {
  const args = ["install", "--frozen-lockfile", "--prefer-offline"];
  const options = { cwd: peersFolder, stdio: ["ignore", "ignore", "inherit"] as ["ignore", "ignore", "inherit"] };
  execFileSync("npx", ["--yes", "pnpm@12", ...args], options);
}

/** Bun's program, as its package for this platform has it. */
export function bunFile(): string {
  const bun = createRequire(join(peersFolder, "package.json")).resolve("bun/package.json");
  const platform = `${process.platform}-${process.arch}`;
  const file = join(bun, "..", "..", "@oven", `bun-${platform}`, "bin", "bun");
  if (!existsSync(file)) throw new Error(`there is no Bun for ${platform} at ${file}`);
  return file;
}
