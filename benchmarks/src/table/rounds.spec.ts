import { expect, test } from "vitest";
import type { Contender } from "../contenders/contender.ts";
import type { BenchMachine } from "./rounds.ts";
import { type Measured, playRounds } from "./rounds.ts";

/** What a run is to do: how long it takes, what the host takes of it, what it measures; a text if it fails. */
interface Act {
  readonly seconds?: number;
  readonly stolen?: number;
  readonly came: number | string;
}

function contender(name: string): Contender {
  return { name, durability: "", isDurable: true, adapter: "", settings: {}, start: () => expect.fail("not started") };
}

/** Plays these acts of each contender, one a run. */
async function played(
  rounds: number,
  acts: Readonly<Record<string, Act[]>>,
  options: { playsAgain?: boolean; tellsNothing?: boolean } = {},
): Promise<{ measured: Measured; lines: string[] }> {
  let nowMs = 0;
  let [busy, stolen] = [0, 0];
  const lines: string[] = [];
  const machine: BenchMachine = {
    nowMs: () => nowMs,
    calibrate: () => 1_000,
    processorTime: () => (options.tellsNothing === true ? undefined : { busy, stolen }),
  };
  const left = structuredClone(acts);
  const measured = await playRounds(Object.keys(acts).map(contender), {
    rounds,
    run: async ({ name }) => {
      const act = left[name]?.shift() ?? expect.fail(`${name} is played once more than there should be`);
      nowMs += 1_000 * (act.seconds ?? 1);
      busy += 100 * (1 - (act.stolen ?? 0));
      stolen += 100 * (act.stolen ?? 0);
      if (typeof act.came === "string") throw new Error(act.came);
      return { drain: act.came };
    },
    progress: (line) => lines.push(line),
    machine,
    playsAgain: options.playsAgain ?? true,
  });
  for (const [name, acts] of Object.entries(left)) expect(acts, `acts left of ${name}`).toEqual([]);
  return { measured, lines };
}

test("each contender in turn, and again for each round", async () => {
  const { measured, lines } = await played(2, { a: [{ came: 1 }, { came: 3 }], b: [{ came: 5 }, { came: 6 }] });
  expect(measured.rounds).toBe(2);
  expect(measured.contenders.map(({ spreads }) => spreads.drain)).toEqual([
    { median: 2, min: 1, max: 3 },
    { median: 5.5, min: 5, max: 6 },
  ]);
  expect(lines[2]).toBe("round 2 of 2: a, 1 s, 3 s in all, the host took 0.0 %");
});

test("what the host disturbed is played again once all rounds are over, the most disturbed first", async () => {
  const { measured, lines } = await played(2, {
    a: [{ came: 1, stolen: 0.1 }, { came: 2 }, { came: 7, stolen: 0.01 }],
    b: [{ came: 5, stolen: 0.2 }, { came: 6 }, { came: 8, stolen: 0.3 }],
  });
  expect(lines.slice(4).map((line) => line.split(",")[0])).toEqual(["again: b", "again: a"]);
  const [a, b] = measured.contenders;
  expect(a).toMatchObject({ again: 1, spreads: { drain: { min: 2, max: 7 } }, stolen: { max: 0.01 } });
  expect(b).toMatchObject({ again: 1, spreads: { drain: { min: 5, max: 6 } }, stolen: { max: 0.2 } });
});

test("nothing is played again that would end too late, and the rounds come first", async () => {
  const { measured } = await played(2, {
    a: [
      { came: 1, seconds: 410, stolen: 0.5 },
      { came: 2, seconds: 410 },
    ],
  });
  expect(measured).toMatchObject({ rounds: 2, contenders: [{ again: 0, stolen: { max: 0.5 } }] });
});

test("nothing is played again where the machine cannot tell, or it was not asked for", async () => {
  const acts = { a: [{ came: 1, stolen: 0.5 }] };
  expect((await played(1, acts, { tellsNothing: true })).measured.contenders[0]).not.toHaveProperty("stolen");
  expect((await played(1, acts, { playsAgain: false })).measured.contenders[0]).toMatchObject({ again: 0 });
});

test("a run that fails is told and leaves the others to go on; one that is played again with success has not failed", async () => {
  const { measured, lines } = await played(1, {
    a: [{ came: "gone" }],
    b: [
      { came: "disturbed", stolen: 0.4 },
      { came: 6, stolen: 0.5 },
    ],
  });
  const [a, b] = measured.contenders;
  expect(a).toMatchObject({ failures: ["gone"], spreads: {} });
  expect(b).toMatchObject({ failures: [], spreads: { drain: { median: 6 } } });
  expect(lines[0]).toBe("round 1 of 1: a (failed), 1 s, 1 s in all, the host took 0.0 %");
});

test("no round is begun that would pass 14 minutes if it took as long as the longest", async () => {
  const { measured } = await played(3, {
    a: [
      { came: 1, seconds: 300 },
      { came: 2, seconds: 280 },
    ],
  });
  expect(measured).toMatchObject({ rounds: 2, seconds: 580 });
});
