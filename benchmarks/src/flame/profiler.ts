import { Session } from "node:inspector/promises";
import { inspected } from "../machine/inspected.ts";
import type { CpuProfile } from "./call-tree.ts";

/** Profiles the main thread of one process. */
export interface Profiler {
  start(): Promise<void>;
  stop(): Promise<CpuProfile>;
  close(): void;
}

/** Of a sample to the next, in microseconds. */
const interval = 500;

/** Of this process. */
export async function ownProfiler(): Promise<Profiler> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval });
  return {
    start: () => session.post("Profiler.start"),
    stop: async () => (await session.post("Profiler.stop")).profile,
    close: () => session.disconnect(),
  };
}

/** Of a process that was started with `--inspect`; `output` is what it printed. */
export async function remoteProfiler(output: string): Promise<Profiler> {
  const { call, close } = await inspected(output);
  await call("Profiler.enable");
  await call("Profiler.setSamplingInterval", { interval });
  return {
    start: async () => void (await call("Profiler.start")),
    stop: async () => ((await call("Profiler.stop")) as { profile: CpuProfile }).profile,
    close,
  };
}
