import type { Page } from "@tq/storage";

/** How many of these, from the first, go into so many bytes. One goes in whatever its size. */
export function fitting<Item>(items: readonly Item[], bytesOf: (item: Item) => number, maxBytes: number): number {
  let bytes = 0;
  for (const [i, item] of items.entries()) {
    bytes += bytesOf(item);
    if (bytes > maxBytes && i > 0) return i;
  }
  return items.length;
}

/** A page of a list of the store that fits into a reply: shorter than asked for where its items are large. */
export async function pageThatFits<Item>(
  size: number,
  read: (atMost: number) => Promise<Page<Item>>,
  countFitting: (items: readonly Item[]) => number,
): Promise<Page<Item>> {
  for (let atMost = size; ;) {
    const page = await read(atMost);
    const count = countFitting(page.items);
    if (count === page.items.length) return page;
    // Only the store knows where a page ends, so it is asked again for as many as fit.
    atMost = count;
  }
}
