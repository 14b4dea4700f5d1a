/** One measured stretch of a run. */
export type Scenario =
  /** So many callers add batches while no worker is there. */
  | {
      readonly kind: "bulk-add";
      readonly tasks: number;
      readonly callers: number;
      readonly batch: number;
      readonly limitMs: number;
    }
  /** So many callers add one task each and await it, again and again, while no worker is there. */
  | { readonly kind: "add-one"; readonly callers: number; readonly limitMs: number }
  /** A worker comes and handles all that waits. */
  | { readonly kind: "drain"; readonly limitMs: number }
  /** As in bulk-add, with the worker there; until all are handled. */
  | {
      readonly kind: "add-and-drain";
      readonly tasks: number;
      readonly callers: number;
      readonly batch: number;
      readonly limitMs: number;
    }
  /** One task is added to an idle worker, and the next one once its handler has begun. */
  | { readonly kind: "idle-latency"; readonly tasks: number; readonly limitMs: number }
  /** Tasks are added one by one at a steady rate. */
  | { readonly kind: "latency-at-rate"; readonly perSecond: number; readonly forMs: number }
  /** Bytes of adding and handling tasks, counted in between client and server, on connections of their own. */
  | { readonly kind: "wire"; readonly tasks: number; readonly batch: number; readonly limitMs: number };

/**
 * The table's scenarios: what stands together is played in order on one queue with one worker, each group on a queue and
 * connections of its own, so that a backlog that a slow system is left with does not stand before what follows. The limits
 * keep the slow ones short: a rate is what was done until then.
 */
export const tableScenarios: readonly (readonly Scenario[])[] = [
  [
    { kind: "bulk-add", tasks: 60_000, callers: 10, batch: 100, limitMs: 1_500 },
    { kind: "add-one", callers: 100, limitMs: 1_000 },
    { kind: "drain", limitMs: 3_500 },
    { kind: "add-and-drain", tasks: 40_000, callers: 10, batch: 100, limitMs: 1_500 },
  ],
  [
    { kind: "idle-latency", tasks: 1_000, limitMs: 1_500 },
    { kind: "latency-at-rate", perSecond: 5_000, forMs: 1_500 },
  ],
  [{ kind: "wire", tasks: 5_000, batch: 100, limitMs: 2_000 }],
];

/**
 * Run before, on queues of their own, so that no scenario pays for code that is compiled as it is first used: V8 compiles
 * for the first 20,000 to 30,000 tasks. The latencies have a queue of their own, so that what a slow system has not drained
 * by then keeps it from nothing.
 */
export const warmUpScenarios: readonly (readonly Scenario[])[] = [
  [
    { kind: "bulk-add", tasks: 40_000, callers: 10, batch: 100, limitMs: 800 },
    { kind: "add-one", callers: 100, limitMs: 500 },
    { kind: "drain", limitMs: 1_500 },
    { kind: "add-and-drain", tasks: 20_000, callers: 10, batch: 100, limitMs: 800 },
  ],
  [
    { kind: "idle-latency", tasks: 1_000, limitMs: 800 },
    { kind: "latency-at-rate", perSecond: 5_000, forMs: 400 },
  ],
];

/** How long a scenario may take. */
export function limitMsOf(scenario: Scenario): number {
  return scenario.kind === "latency-at-rate" ? scenario.forMs : scenario.limitMs;
}

/** The same as the table, at a size that shows that they run, and nothing else. */
export const tinyScenarios = tableScenarios.map((group) => group.map(tiny));

/** Every kind of scenario, in the order in which they are played. */
export const scenarioKinds: readonly string[] = tableScenarios.flat().map(({ kind }) => kind);

/** The scenarios of these kinds. */
export function onlyKinds(kinds: readonly string[]): (readonly Scenario[])[] {
  return tableScenarios
    .map((group) => group.filter(({ kind }) => kinds.includes(kind)))
    .filter((group) => group.length > 0);
}

function tiny(scenario: Scenario): Scenario {
  switch (scenario.kind) {
    case "bulk-add":
    case "add-and-drain":
      return { ...scenario, tasks: 400, callers: 2 };
    case "add-one":
      return { ...scenario, callers: 4, limitMs: 20 };
    case "drain":
      return scenario;
    case "idle-latency":
      return { ...scenario, tasks: 5 };
    case "latency-at-rate":
      return { ...scenario, perSecond: 500, forMs: 50 };
    case "wire":
      return { ...scenario, tasks: 200 };
  }
}
