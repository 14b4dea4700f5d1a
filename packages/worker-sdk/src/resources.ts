import { availableParallelism, cpus, totalmem } from "node:os";
import { performance } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import type { Clock } from "@tq/client";

/** How much of what there is is in use, each from 0 to 1. */
export interface ResourceUsage {
  /**
   * The largest share of: the memory that the machine, or the container that limits the process, has; and the heap that
   * Node allows the process.
   */
  readonly memory: number;
  /**
   * The largest share of: the machine's processors; those that the process may use, by the process alone; and the time
   * of its event loop, which is what a process that runs JavaScript is first out of.
   */
  readonly cpu: number;
}

/** Reads how much is in use. */
export interface ResourceReader {
  read(): ResourceUsage;
}

/** Shorter spans say little about processors; and a reading takes some ten microseconds. */
const spanMs = 100;

interface CpuTimes {
  readonly atMs: number;
  readonly idle: number;
  readonly total: number;
  readonly process: number;
  readonly eventLoop: ReturnType<typeof performance.eventLoopUtilization>;
}

/**
 * Reads the process and its machine by what Node says of them, which heeds the limits that a container sets (cgroups). A
 * reading is a tenth of a second old at most; processors are those of the last such span.
 */
export function systemResources(clock: Clock): ResourceReader {
  let before = cpuTimes(clock.now());
  let usage: ResourceUsage = { memory: memoryShare(), cpu: 0 };
  return {
    read() {
      const atMs = clock.now();
      if (atMs - before.atMs < spanMs) return usage;
      const now = cpuTimes(atMs);
      usage = { memory: memoryShare(), cpu: cpuShare(before, now) };
      before = now;
      return usage;
    },
  };
}

function memoryShare(): number {
  // 0, or more than there is, where nothing limits the process.
  const limit = process.constrainedMemory();
  const total = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  const { used_heap_size: used, heap_size_limit: heapLimit } = getHeapStatistics();
  return Math.max(1 - process.availableMemory() / total, used / heapLimit, 0);
}

function cpuTimes(atMs: number): CpuTimes {
  let idle = 0;
  let total = 0;
  for (const { times } of cpus()) {
    idle += times.idle;
    total += times.idle + times.user + times.nice + times.sys + times.irq;
  }
  const { user, system } = process.cpuUsage();
  return { atMs, idle, total, process: (user + system) / 1_000, eventLoop: performance.eventLoopUtilization() };
}

function cpuShare(before: CpuTimes, now: CpuTimes): number {
  const total = now.total - before.total;
  const machine = total > 0 ? 1 - (now.idle - before.idle) / total : 0;
  const own = (now.process - before.process) / ((now.atMs - before.atMs) * availableParallelism());
  const { utilization } = performance.eventLoopUtilization(now.eventLoop, before.eventLoop);
  return Math.min(1, Math.max(machine, own, utilization));
}
