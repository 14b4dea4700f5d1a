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
}

/** Every column, in the order of the table. */
export const columns: Readonly<Record<Column, ColumnText>> = {
  bulkAdd: {
    title: "bulk add",
    unit: "tasks/s",
    meaning: "10 callers, 100 tasks a call, no worker",
    better: "higher",
  },
  drain: { title: "drain", unit: "tasks/s", meaning: "one worker of 100 slots, a backlog, no adds", better: "higher" },
  addAndDrain: {
    title: "add and drain",
    unit: "tasks/s",
    meaning: "both at once, until all are handled",
    better: "higher",
  },
  addOne: {
    title: "add(one)",
    unit: "tasks/s",
    meaning: "100 callers, one task a call, awaited each",
    better: "higher",
  },
  idleMedianMs: {
    title: "latency, median",
    unit: "ms",
    meaning: "from add to the handler's begin, idle worker, one at a time",
    better: "lower",
  },
  idleP99Ms: { title: "latency, p99", unit: "ms", meaning: "the same", better: "lower" },
  loadedP99Ms: {
    title: "latency at 5,000/s, p99",
    unit: "ms",
    meaning: "from add to the handler's begin, 5,000 tasks a second added one by one",
    better: "lower",
  },
  serverCpuMs: {
    title: "server CPU",
    unit: "ms per 1,000 tasks",
    meaning: "all processes of the server, user and system, add and drain at once",
    better: "lower",
  },
  clientCpuMs: {
    title: "client CPU",
    unit: "ms per 1,000 tasks",
    meaning: "producer and worker, the same",
    better: "lower",
  },
  wireBytes: {
    title: "on the wire",
    unit: "bytes per task",
    meaning: "both ways, added by hundreds and handled, counted between client and server",
    better: "lower",
  },
  diskBytes: {
    title: "on disk",
    unit: "bytes per task",
    meaning: "growth of the server's folder by a waiting task",
    better: "lower",
  },
  writtenBytes: {
    title: "written to disk",
    unit: "bytes per task",
    meaning: "by all processes of the server, add and drain at once",
    better: "lower",
  },
};
