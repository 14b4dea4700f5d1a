import type { StoreReader } from "@tq/storage";
import { CallRefused } from "../errors/call-refused.ts";

/** What an empty namespace means. */
export const defaultNamespace = "default";

/** Knows which namespaces exist. What it has seen once it keeps, since a namespace is never deleted. */
export class Namespaces {
  readonly #reader: Pick<StoreReader, "hasNamespace">;
  readonly #known = new Set<string>();

  constructor(reader: Pick<StoreReader, "hasNamespace">) {
    this.#reader = reader;
  }

  /** The namespace of a call. Refuses one that does not exist. Answers at once, not in a promise, where it can. */
  of(request: { readonly namespace: string }): string | Promise<string> {
    const name = request.namespace === "" ? defaultNamespace : request.namespace;
    return this.#known.has(name) ? name : this.#find(name);
  }

  async #find(name: string): Promise<string> {
    if (!(await this.#reader.hasNamespace(name))) throw new CallRefused("NAMESPACE_NOT_FOUND", { subject: name });
    this.#known.add(name);
    return name;
  }
}
