import { isAscii } from "./chunk.ts";

/**
 * The greatest id of each namespace. Ids that clients make come in ascending order (UUIDv7), so a new one is mostly above all
 * that there are, and need not be looked for.
 *
 * Compared as JavaScript compares strings: where one of two has ASCII characters alone, that is the order of SQLite, too.
 */
export class GreatestId {
  readonly #read: (namespaceId: number) => string | null | undefined;
  #byNamespace = new Map<number, string>();

  /** @param read the greatest of those that are not noted, in SQLite's order; none: there is no id */
  constructor(read: (namespaceId: number) => string | null | undefined) {
    this.#read = read;
  }

  /** Whether all that there are, or have been, are known to be below this one. */
  isAbove(namespaceId: number, id: string): boolean {
    return this.#of(namespaceId) < id && isAscii([id]);
  }

  /** There is this id from now on. */
  note(namespaceId: number, id: string): void {
    if (this.#of(namespaceId) < id) this.#byNamespace.set(namespaceId, id);
  }

  /** What was noted may have been taken back. */
  forget(): void {
    if (this.#byNamespace.size > 0) this.#byNamespace = new Map();
  }

  #of(namespaceId: number): string {
    let greatest = this.#byNamespace.get(namespaceId);
    if (greatest === undefined) {
      greatest = this.#read(namespaceId) ?? "";
      this.#byNamespace.set(namespaceId, greatest);
    }
    return greatest;
  }
}
