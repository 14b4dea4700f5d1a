import { readdirSync, readFileSync } from "node:fs";

/** What a process and those that it started have used since they began. */
export interface Usage {
  /** User and system, in ms. Processes that have ended count, once their parent has taken note of it. */
  readonly cpuMs: number;
  /** Handed to the disk. Those of a process that has ended are lost. */
  readonly writtenBytes: number;
  /** In memory just now, in bytes; pages that processes share count for each. */
  readonly residentBytes: number;
}

/** Linux counts processor time in hundredths of a second, on every machine that Node runs on. */
const msPerTick = 10;

/** Of a process and all below it. Undefined where there is no /proc, or the process has gone. */
export function usageOf(pid: number): Usage | undefined {
  const all = processes();
  if (!all.has(pid)) return undefined;
  let cpuMs = 0;
  let writtenBytes = 0;
  let residentBytes = 0;
  for (const each of withChildren(pid, all)) {
    cpuMs += (all.get(each)?.ticks ?? 0) * msPerTick;
    writtenBytes += Number(/^write_bytes: (\d+)/m.exec(readOf(each, "io"))?.[1] ?? 0);
    residentBytes += 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(readOf(each, "status"))?.[1] ?? 0);
  }
  return { cpuMs, writtenBytes, residentBytes };
}

interface Stat {
  readonly parent: number;
  readonly ticks: number;
}

function processes(): Map<number, Stat> {
  const all = new Map<number, Stat>();
  for (const name of listed("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = readOf(Number(name), "stat");
    // The second field is a name in brackets, which may hold anything.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [, parent] = fields;
    if (parent === undefined) continue;
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    all.set(Number(name), { parent: Number(parent), ticks });
  }
  return all;
}

function withChildren(pid: number, all: ReadonlyMap<number, Stat>): number[] {
  const found = [pid];
  // Grows as it is gone through.
  for (const parent of found) for (const [each, stat] of all) if (stat.parent === parent) found.push(each);
  return found;
}

/** A file of /proc; empty where the process has gone or is somebody else's. */
function readOf(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
