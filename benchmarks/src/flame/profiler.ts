import { Session } from "node:inspector/promises";
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
  const [, url] = /Debugger listening on (ws:\S+)/.exec(output) ?? [];
  if (url === undefined) throw new Error(`it does not say where its debugger listens: ${output}`);
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", () => reject(new Error(`cannot connect to ${url}`)));
  });
  const answers = new Map<number, (message: { result?: unknown; error?: { message: string } }) => void>();
  socket.addEventListener("message", ({ data }) => {
    const message = JSON.parse(String(data)) as { id?: number; result?: unknown; error?: { message: string } };
    if (message.id !== undefined) answers.get(message.id)?.(message);
  });
  let last = 0;
  const call = (method: string, params: object = {}): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = ++last;
      answers.set(id, ({ result, error }) => {
        answers.delete(id);
        if (error === undefined) resolve(result);
        else reject(new Error(`${method}: ${error.message}`));
      });
      socket.send(JSON.stringify({ id, method, params }));
    });
  await call("Profiler.enable");
  await call("Profiler.setSamplingInterval", { interval });
  return {
    start: async () => void (await call("Profiler.start")),
    stop: async () => ((await call("Profiler.stop")) as { profile: CpuProfile }).profile,
    close: () => socket.close(),
  };
}
