/**
 * What something that calls back with its progress tells, to be read one by one; only the last of what came in between is
 * kept. The progress ends when the result is there, or fails with it.
 */
export function progressOf<Progress, Result>(
  run: (onProgress: (progress: Progress) => void) => Promise<Result>,
): { readonly progress: AsyncIterable<Progress>; readonly result: Promise<Result> } {
  let latest: { readonly value: Progress } | undefined;
  let isOver = false;
  let { promise: news, resolve: tell } = Promise.withResolvers<void>();
  const result = run((value) => {
    latest = { value };
    tell();
  });
  const end = (): void => {
    isOver = true;
    tell();
  };
  result.then(end, end);
  async function* progress(): AsyncGenerator<Progress> {
    while (!isOver) {
      await news;
      ({ promise: news, resolve: tell } = Promise.withResolvers<void>());
      const next = latest;
      latest = undefined;
      if (next !== undefined) yield next.value;
    }
    await result;
  }
  return { progress: progress(), result };
}
