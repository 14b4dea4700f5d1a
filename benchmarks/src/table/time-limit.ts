/** Past it a bench begins nothing more, so that it ends in less than 15 minutes, even if its last run hangs. */
const limitMinutes = 14;

/** Whether another one would end in time if it took as long as the longest so far. */
export function hasTimeForAnother(tookMs: readonly number[], elapsedMs: number): boolean {
  return elapsedMs + Math.max(0, ...tookMs) <= limitMinutes * 60_000;
}

/** How many rounds were played, in what time; and why no more, if more were asked for. */
export function roundsLine({ rounds, seconds }: { rounds: number; seconds: number }, asked: number): string {
  const played = `${rounds} of ${asked} rounds played, in ${seconds.toFixed(0)} s`;
  return rounds === asked ? `${played}.` : `${played}: with another one it would have passed ${limitMinutes} minutes.`;
}
