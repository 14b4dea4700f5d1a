/*
 * Rows of numbers as JSON, where rows that follow each other mostly differ by the same steps, as those of tasks that were
 * added, and are granted, together: a series of such rows is written as its first row, the steps and how many there are.
 */

/** How many rows, the first one and, if there are more, the step of each column. */
type Series = readonly number[];

/**
 * Writes a row for each item.
 *
 * @param columns what is in each column; all of it finite
 */
export function writeNumberRows<Item>(items: readonly Item[], columns: readonly ((item: Item) => number)[]): string {
  const all: Series[] = [];
  for (let from = 0, to = 0; from < items.length; from = to) {
    const first = rowOf(items[from] as Item, columns);
    to = from + 1;
    const second = items[to];
    const steps = second === undefined ? [] : rowOf(second, columns).map((value, i) => value - (first[i] ?? 0));
    while (to < items.length && isRow(items[to] as Item, columns, first, steps, to - from)) to += 1;
    const count = to - from;
    all.push(count === 1 ? [count, ...first] : [count, ...first, ...steps]);
  }
  return JSON.stringify(all);
}

function rowOf<Item>(item: Item, columns: readonly ((item: Item) => number)[]): number[] {
  return columns.map((column) => column(item));
}

/** Whether an item is what the row of a series at this place would be read as. */
function isRow<Item>(
  item: Item,
  columns: readonly ((item: Item) => number)[],
  first: readonly number[],
  steps: readonly number[],
  at: number,
): boolean {
  for (let i = 0; i < columns.length; i++) {
    if (columns[i]?.(item) !== valueAt(first, steps, i, at)) return false;
  }
  return true;
}

/** @param width how many columns they have */
export function readNumberRows(text: string, width: number): number[][] {
  return (JSON.parse(text) as Series[]).flatMap(([count = 0, ...numbers]) => {
    const [first, steps] = [numbers.slice(0, width), numbers.slice(width)];
    return Array.from({ length: count }, (_, at) => first.map((_, i) => valueAt(first, steps, i, at)));
  });
}

/** Both ways it is reckoned the same, so that what is read is exactly what was written. */
function valueAt(first: readonly number[], steps: readonly number[], column: number, at: number): number {
  return (first[column] ?? 0) + at * (steps[column] ?? 0);
}
