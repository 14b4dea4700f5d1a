import fc from "fast-check";
import { expect, it } from "vitest";
import { GreatestId } from "./greatest-id.ts";

/** As SQLite orders text: by its bytes. */
function inBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

const id = fc.oneof(
  fc.string({ maxLength: 3 }),
  // Above and below the surrogates, which JavaScript orders otherwise than their bytes are.
  fc.constantFrom("a", "b", "~", "é", "a\u{1f600}", "a\ufffd", "\u{1f600}", "\ufffd", "\ue000z"),
);

it("an id that is above all is one that nobody has, whatever the others are", () => {
  const step = fc.record({ kind: fc.constantFrom("note", "ask", "forget"), id, namespaceId: fc.constantFrom(1, 2) });
  let above = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const kept = new Map<number, Set<string>>([
        [1, new Set()],
        [2, new Set()],
      ]);
      const greatest = new GreatestId((namespaceId) => [...(kept.get(namespaceId) ?? [])].toSorted(inBytes).at(-1));
      for (const { kind, id, namespaceId } of steps) {
        const ids = kept.get(namespaceId) as Set<string>;
        if (kind === "forget") greatest.forget();
        if (kind === "note") {
          greatest.note(namespaceId, id);
          ids.add(id);
        }
        if (kind !== "ask" || !greatest.isAbove(namespaceId, id)) continue;
        above += 1;
        expect(ids).not.toContain(id);
        expect([...ids].every((other) => inBytes(other, id) < 0)).toBe(true);
      }
    }),
    { numRuns: 300 },
  );
  expect(above).toBeGreaterThan(50);
});

it("ids that ascend are each above those before", () => {
  const greatest = new GreatestId(() => "b");
  expect(["a", "b", "c"].map((id) => greatest.isAbove(1, id))).toEqual([false, false, true]);
  greatest.note(1, "c");
  expect(["c", "d"].map((id) => greatest.isAbove(1, id))).toEqual([false, true]);
  greatest.forget();
  expect(greatest.isAbove(1, "c")).toBe(true);
});
