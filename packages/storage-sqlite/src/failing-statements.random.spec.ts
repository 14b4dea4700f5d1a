/*
 * Statements fail at random, as on a full disk, while commits are made, settled and taken back: what was said to have
 * happened has, also after a crash, and nothing else.
 */
import { exerciseAtRandom } from "@tq/storage/exercise";
import { afterEach, beforeEach, expect } from "vitest";
import { FailingStatements, whileFailing } from "../test/failing.ts";
import { seeded } from "../test/seeded.ts";

const random = seeded(1);
let isChecking = false;
let statements: FailingStatements;

beforeEach(() => {
  statements = new FailingStatements(() => {
    if (isChecking || random() > 0.005) return undefined;
    return random() < 0.5 ? "nothing" : "rolled back";
  });
  statements.start();
});
afterEach(() => {
  statements.stop();
  expect(statements.failed).toBeGreaterThan(0);
});

const harness = whileFailing(async (look) => {
  // Now and then there is a moment for what is done between two commits.
  if (random() < 0.5) await new Promise((resolve) => void setImmediate(resolve));
  if (random() > 0.1) return;
  isChecking = true;
  await look();
  isChecking = false;
});

exerciseAtRandom(harness, { walks: 40, steps: 45 });
