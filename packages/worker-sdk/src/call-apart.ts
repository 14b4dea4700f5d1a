import type { TqError } from "@tq/client";

/** A call to take apart should it be refused. */
export interface ApartOptions<T> {
  readonly items: readonly T[];
  readonly call: (items: readonly T[]) => Promise<void>;
  /** The call with this item alone was refused. */
  readonly refused: (item: T, error: TqError) => void;
  readonly signal: AbortSignal;
}

/**
 * Makes a call with many items or, should that be refused as a whole, one with each, in their order: so that one that is bad
 * costs no other its place. Ends early once `signal` aborts. Never rejects.
 */
export async function callApart<T>(options: ApartOptions<T>): Promise<void> {
  const { items, call, refused, signal } = options;
  try {
    await call(items);
  } catch (error) {
    for (const item of items) {
      if (signal.aborted) return;
      if (items.length === 1) refused(item, error as TqError);
      else await callApart({ ...options, items: [item] });
    }
  }
}
