export {
  framedBytesAtOnce,
  framedCallBytes,
  framedCallsAtOnce,
  framedCancel,
  framedMethods,
  framedReply,
  framedReplyBytes,
  type FrameHeader,
  frameHeaderBytes,
  FrameReader,
  framesAccepted,
  framesPreface,
  FrameWriter,
  writeFrameHeader,
} from "./frames.ts";
export { messageOf } from "./message-of.ts";
export { readDuration, readTaskQueueRef, readTimestamp } from "./small-messages.ts";
export { splitItems, type SplitMessage } from "./split-items.ts";
export {
  addedTaskTags,
  addTasksRequestTags,
  addTasksResponseTags,
  answerStatusTags,
  dispatchedTaskTags,
  newTaskTags,
  payloadTags,
  pollTasksRequestTags,
  pollTasksResponseTags,
  respondTasksRequestTags,
  respondTasksResponseTags,
  taskAnswerTags,
  taskCompletedTags,
  taskQueueRefTags,
  timeTags,
  workerRefTags,
} from "./tags.ts";
export { unusual, WireReader } from "./wire-reader.ts";
export { WireWriter } from "./wire-writer.ts";
