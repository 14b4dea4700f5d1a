import { existsSync, readFileSync } from "node:fs";

/** What all processors have done since the machine was started, in ticks. */
export interface ProcessorTime {
  /** What ran here: user, system, interrupts. */
  readonly busy: number;
  /** When something was ready to run here, and the host ran something else. */
  readonly stolen: number;
}

const statFile = "/proc/stat";

/** Undefined where the kernel does not tell. */
export function processorTime(): ProcessorTime | undefined {
  return existsSync(statFile) ? processorTimeIn(readFileSync(statFile, "utf8")) : undefined;
}

/** Of the text of `/proc/stat`. */
export function processorTimeIn(stat: string): ProcessorTime | undefined {
  const fields = /^cpu +([\d ]+)$/m.exec(stat)?.[1]?.split(" ").map(Number);
  // proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal.
  const [user, nice, system, , , irq, softirq, stolen] = fields ?? [];
  if (user === undefined || nice === undefined || system === undefined || irq === undefined) return undefined;
  if (softirq === undefined || stolen === undefined) return undefined;
  return { busy: user + nice + system + irq + softirq, stolen };
}

/**
 * Which share of the processor time that was asked for since then the host took for others; 0 if nothing ran. Undefined
 * where the kernel does not tell.
 */
export function stolenShare(before: ProcessorTime | undefined, after: ProcessorTime | undefined): number | undefined {
  if (before === undefined || after === undefined) return undefined;
  const stolen = after.stolen - before.stolen;
  const asked = after.busy - before.busy + stolen;
  return asked === 0 ? 0 : stolen / asked;
}
