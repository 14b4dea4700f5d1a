/*
 * Tags of the fields that are written and read by hand, by the names that they have in the messages: a field's number
 * times 8, and its wire type. In one place for client and server; a spec holds them to the contract.
 */

/** Of an AddTasksRequest. */
export const addTasksRequestTags = { namespace: 0x0a, requestId: 0x12, tasks: 0x1a } as const;

/** Of an AddTasksResponse. */
export const addTasksResponseTags = { tasks: 0x0a } as const;

/** Of an AddedTask. */
export const addedTaskTags = { id: 0x0a, run: 0x10, existed: 0x18, warnings: 0x22 } as const;

/** Of a PollTasksRequest. */
export const pollTasksRequestTags = {
  namespace: 0x0a,
  pollId: 0x12,
  worker: 0x1a,
  taskQueues: 0x22,
  maxTasks: 0x28,
  lease: 0x32,
  confirmWithin: 0x3a,
  wait: 0x42,
  receivedPollIds: 0x4a,
  answers: 0x52,
  requestId: 0x5a,
  taskQueueRatePerSecond: 0x61,
} as const;

/** Of a WorkerRef. */
export const workerRefTags = { workerId: 0x0a, identity: 0x12, buildId: 0x1a, registrationsHash: 0x22 } as const;

/** Of a PollTasksResponse. */
export const pollTasksResponseTags = {
  tasks: 0x0a,
  answerStatuses: 0x12,
  registrationsWanted: 0x18,
  drainRequested: 0x20,
} as const;

/** Of a RespondTasksRequest. */
export const respondTasksRequestTags = {
  namespace: 0x0a,
  workerId: 0x12,
  requestId: 0x1a,
  answers: 0x22,
  receivedPollIds: 0x2a,
} as const;

/** Of a RespondTasksResponse. */
export const respondTasksResponseTags = { statuses: 0x0a } as const;

/** Of a TaskAnswer. */
export const taskAnswerTags = { token: 0x0a, completed: 0x12 } as const;

/** Of a TaskCompleted. */
export const taskCompletedTags = { result: 0x0a } as const;

/** Of an AnswerStatus. */
export const answerStatusTags = { result: 0x08 } as const;

/** Of a NewTask. */
export const newTaskTags = {
  id: 0x0a,
  taskQueue: 0x12,
  type: 0x1a,
  input: 0x22,
  priority: 0x28,
  fairnessKey: 0x32,
  fairnessWeight: 0x39,
  serialKey: 0x42,
  idPolicy: 0x78,
  retention: 0x82,
} as const;

/** Of a DispatchedTask. */
export const dispatchedTaskTags = {
  token: 0x0a,
  id: 0x12,
  run: 0x18,
  taskQueue: 0x22,
  type: 0x2a,
  input: 0x32,
  attempt: 0x38,
  priority: 0x48,
  fairnessKey: 0x52,
  serialKey: 0x5a,
  addedAt: 0x62,
  startedAt: 0x6a,
  lease: 0x72,
  startToCloseTimeout: 0x7a,
  heartbeatTimeout: 0x82,
  scheduleToCloseDeadline: 0x8a,
  maximumAttempts: 0xa8,
} as const;

/** Of a TaskQueueRef. */
export const taskQueueRefTags = { name: 0x0a, kind: 0x10 } as const;

/** Of a Payload. */
export const payloadTags = { contentType: 0x0a, text: 0x12, bytes: 0x1a, metadata: 0x22 } as const;

/** Of a Timestamp and of a Duration, which have the same fields. */
export const timeTags = { seconds: 0x08, nanos: 0x10 } as const;
