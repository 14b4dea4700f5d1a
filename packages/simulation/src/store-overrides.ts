import type { Store } from "@tq/storage";

/** A store that does some things in another way, and everything else as the one inside it. */
export function overrideStore(inner: Store, overrides: Partial<Store>): Store {
  return new Proxy(inner, {
    get(_target, name) {
      if (Reflect.has(overrides, name)) return Reflect.get(overrides, name) as unknown;
      const value: unknown = Reflect.get(inner, name, inner);
      // What is private to the inner one is found on it alone.
      return typeof value === "function" ? (value.bind(inner) as unknown) : value;
    },
  });
}
