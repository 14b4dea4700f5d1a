/** The earliest of some moments, of which any may be missing; undefined: all are. */
export function earliest(...moments: readonly (number | undefined)[]): number | undefined {
  let first: number | undefined;
  for (const at of moments) if (at !== undefined && (first === undefined || at < first)) first = at;
  return first;
}
