import { CallRefused, type FieldViolation } from "../errors/call-refused.ts";
import type { Reason } from "../errors/error-table.ts";

/** How many violations of one call are reported; the rest is counted. */
const reportedAtMost = 20;

/**
 * Collects what is wrong with a request, all of it, so that a caller mends it in one go. Where the check stands is set
 * once per item ({@link within}), and paths are only put together when there is something to report: the hot path
 * makes no strings.
 */
export class Violations {
  #found: FieldViolation[] = [];
  #total = 0;
  #list = "";
  #index = 0;
  #inner = "";

  /** Fields that follow are those of the request itself. */
  atTop(): void {
    this.#list = "";
  }

  /** Fields that follow are those of `list[index]`, or of its `inner` message. */
  within(list: string, index: number, inner = ""): void {
    this.#list = list;
    this.#index = index;
    this.#inner = inner;
  }

  /** Something is wrong with a field. */
  add(reason: Reason, field: string, description: string): void {
    this.#total += 1;
    if (this.#found.length < reportedAtMost) this.#found.push({ reason, field: this.#path(field), description });
  }

  /** How many there are. */
  get count(): number {
    return this.#total;
  }

  /** Takes out the first one, and forgets the others: for lists of which a bad item does not fail the rest. */
  takeFirst(): FieldViolation | undefined {
    if (this.#total === 0) return undefined;
    const first = this.#found[0];
    this.#found = [];
    this.#total = 0;
    return first;
  }

  /** Refuses the call if anything was wrong. Its reason is that of the first violation. */
  throwIfAny(): void {
    const first = this.#found[0];
    if (first === undefined) return;
    throw new CallRefused(first.reason, {
      subject: first.field,
      fields: this.#found,
      ...(this.#total > this.#found.length ? { metadata: { violations: String(this.#total) } } : {}),
    });
  }

  #path(field: string): string {
    if (this.#list === "") return field;
    const item = `${this.#list}[${this.#index}]`;
    const inner = this.#inner === "" ? item : `${item}.${this.#inner}`;
    return field === "" ? inner : `${inner}.${field}`;
  }
}
