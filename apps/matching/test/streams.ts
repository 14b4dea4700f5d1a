/** Everything that a stream brings. */
export async function collect<Item>(stream: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

/** The first thing that a stream brings; rejects with what it fails with. */
export async function firstOf<Item>(stream: AsyncIterable<Item>): Promise<Item | undefined> {
  for await (const item of stream) return item;
  return undefined;
}
