/** A column of the table. */
export type Column =
  | "bulkAdd"
  | "drain"
  | "addAndDrain"
  | "addOne"
  | "idleMedianMs"
  | "idleP99Ms"
  | "loadedP99Ms"
  | "serverCpuMs"
  | "clientCpuMs"
  | "wireBytes"
  | "diskBytes"
  | "writtenBytes";

/** What was measured in one run. What a system cannot do, or the machine cannot tell, is left out. */
export type Readings = Partial<Record<Column, number>>;

/** How a column reads, and which way is better. */
export interface ColumnText {
  readonly title: string;
  readonly unit: string;
  readonly meaning: string;
  readonly better: "higher" | "lower";
  /** Whether it depends on how fast the machine is just now. */
  readonly isCalibrated: boolean;
  /** How much worse than the kept result, as a share, is noise still: more is a regression. */
  readonly tolerance: number;
  /** So much worse, in its unit, is noise as well. Default 0. */
  readonly slack?: number;
}

/*
 * The tolerances are about what the worst round was short of the best with the same code, in a quiet hour: three rounds of
 * both settings of tq at commit d62ab5f84323 (2 cores of an AMD EPYC) came to up to 31 % for rates, 56 % for latencies and
 * 35 % for processor time. Bytes came to 4 %, but for those on disk of tasks that are kept for an hour, 31 %. Medians of three
 * rounds or more differ less within an hour, but more between a quick hour and a slow one than the calibration accounts for:
 * latency at 5,000/s was seen at 9 and 24 ms.
 */
const throughput = { unit: "tasks/s", better: "higher", isCalibrated: true, tolerance: 0.35 } as const;
const latency = { unit: "ms", better: "lower", isCalibrated: true, tolerance: 0.6 } as const;
const processor = { unit: "ms per 1,000 tasks", better: "lower", isCalibrated: true, tolerance: 0.35 } as const;
const bytes = { unit: "bytes per task", better: "lower", isCalibrated: false, tolerance: 0.15 } as const;

/** Every column, in the order of the table. */
export const columns: Readonly<Record<Column, ColumnText>> = {
  bulkAdd: { ...throughput, title: "bulk add", meaning: "10 callers, 100 tasks a call, no worker" },
  drain: { ...throughput, title: "drain", meaning: "one worker of 100 slots, a backlog, no adds" },
  addAndDrain: { ...throughput, title: "add and drain", meaning: "both at once, until all are handled" },
  addOne: { ...throughput, title: "add(one)", meaning: "100 callers, one task a call, awaited each, no worker" },
  idleMedianMs: {
    ...latency,
    title: "latency, median",
    meaning: "from add to the handler's begin, idle worker, one at a time",
  },
  idleP99Ms: { ...latency, title: "latency, p99", meaning: "the same" },
  loadedP99Ms: {
    ...latency,
    title: "latency at 5,000/s, p99",
    meaning: "from add to the handler's begin, 5,000 tasks a second added one by one",
  },
  serverCpuMs: {
    ...processor,
    title: "server CPU",
    meaning: "all processes of the server, user and system, add and drain at once",
  },
  clientCpuMs: { ...processor, title: "client CPU", meaning: "producer and worker, add and drain at once" },
  wireBytes: {
    ...bytes,
    title: "on the wire",
    meaning: "both ways, added by hundreds and handled, counted between client and server",
  },
  diskBytes: {
    ...bytes,
    title: "on disk",
    meaning: "growth of the server's folder by a waiting task",
    // The warm-up's tasks leave room, if they are removed: of tq 3 to 125 bytes a task were seen. With tasks that are kept it is 330 to 370.
    slack: 120,
  },
  writtenBytes: {
    ...bytes,
    title: "written to disk",
    meaning: "by all processes of the server, add and drain at once",
  },
};
