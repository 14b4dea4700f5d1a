/*
 * Rows of numbers as JSON, where rows that follow each other mostly differ by the same steps, as those of tasks that were
 * added, and are granted, together: a run of such rows is written as its first row, the steps and how many there are.
 */

/** A run: how many rows, the first one and, if it has more than one, the step of each column. */
type Run = readonly number[];

/**
 * Writes a row for each item.
 *
 * @param columns what is in each column; all of it finite
 */
export function writeNumberRows<Item>(items: readonly Item[], columns: readonly ((item: Item) => number)[]): string {
  const runs: Run[] = [];
  let first: number[] = [];
  let steps: number[] = [];
  let count = 0;
  const end = (): void => {
    if (count > 0) runs.push([count, ...first, ...steps]);
  };
  for (const item of items) {
    if (count === 1) steps = columns.map((column, i) => column(item) - (first[i] ?? 0));
    if (count > 0 && columns.every((column, i) => valueAt(first, steps, i, count) === column(item))) {
      count += 1;
      continue;
    }
    if (count === 1) steps = [];
    end();
    first = columns.map((column) => column(item));
    steps = [];
    count = 1;
  }
  end();
  return JSON.stringify(runs);
}

/** @param width how many columns they have */
export function readNumberRows(text: string, width: number): number[][] {
  return (JSON.parse(text) as Run[]).flatMap(([count = 0, ...numbers]) => {
    const [first, steps] = [numbers.slice(0, width), numbers.slice(width)];
    return Array.from({ length: count }, (_, at) => first.map((_, i) => valueAt(first, steps, i, at)));
  });
}

/** Both ways it is reckoned the same, so that what is read is exactly what was written. */
function valueAt(first: readonly number[], steps: readonly number[], column: number, at: number): number {
  return (first[column] ?? 0) + at * (steps[column] ?? 0);
}
