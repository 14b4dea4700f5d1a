/** Bounds of the contract, as the comments of proto/tq/v1 state them. Lengths are in bytes of UTF-8. */
export const bounds = {
  taskIdBytes: 300,
  /** Of an id that is looked up: the server's own, of tasks added on close, are longer than those they come from. */
  lookedUpTaskIdBytes: 400,
  nameBytes: 200,
  workerIdBytes: 200,
  requestIdBytes: 128,
  pollIdBytes: 128,
  reasonBytes: 1_000,
  contentTypeBytes: 255,
  metadataBytes: 4 * 1024,
  /** All payloads of one input, result or failure together. */
  payloadBytes: 2 * 1024 * 1024,
  /** Payloads of one input: each takes some bytes beyond what it carries. */
  payloadsPerInput: 10_000,
  /** Details of a heartbeat, and what an on-close task is to hand on: they travel beside an input or a result. */
  heartbeatBytes: 512 * 1024,
  contextBytes: 256 * 1024,
  /** Of a failed attempt, in what is said of its task: ten of them, beside everything else, go into one reply. */
  attemptFailureBytes: 64 * 1024,
  headerEntries: 100,
  headerBytes: 16 * 1024,
  tasksPerAdd: 10_000,
  requestBytes: 32 * 1024 * 1024,
  idsPerGet: 1_000,
  idsPerCancel: 10_000,
  queuesPerPoll: 100,
  tasksPerPoll: 1_000,
  answersPerCall: 1_000,
  commandsPerAnswer: 1_000,
  tokensPerRenewal: 20_000,
  /** A poll is confirmed once; a worker has a handful of them open. */
  receivedPollIds: 1_000,
  /** Far more than one process can have handlers for; the set is held in memory for each live worker. */
  typesPerWorker: 10_000,
  nonRetryableFailureTypes: 100,
  /** Values of one repeated field of a filter. */
  filterValues: 1_000,
  /** Fairness keys that one queue is configured for by name; held in memory while the queue is in use. */
  fairnessKeys: 10_000,
  /** Dispatches per second. Lower than one in eleven days is a mistake in the unit; more than the highest is no limit. */
  lowestRate: 0.000_001,
  highestRate: 1_000_000_000,
  pathBytes: 4_096,
  /** Tasks of a worker that DescribeWorker shows. */
  heldTasksShown: 1_000,
  pageSize: 1_000,
  defaultPageSize: 100,
  /** Ten years: what is waited for longer is a mistake in the unit. */
  longestMs: 10 * 365 * 24 * 3_600_000,
  longestWaitMs: 60_000,
} as const;
