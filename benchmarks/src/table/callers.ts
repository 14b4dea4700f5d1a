import { performance } from "node:perf_hooks";

/** Lets so many callers call at once, each again as soon as its call is answered, until `call` says false or the time is over. */
export async function callAtOnce(
  callers: number,
  limitMs: number,
  call: () => Promise<unknown> | false,
): Promise<void> {
  const endsAt = performance.now() + limitMs;
  const caller = async (): Promise<void> => {
    for (;;) {
      const calling = performance.now() < endsAt && call();
      if (calling === false) return;
      await calling;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
}
