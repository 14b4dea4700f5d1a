export { messageOf } from "./message-of.ts";
export { splitItems, type SplitMessage } from "./split-items.ts";
export { unusual, WireReader } from "./wire-reader.ts";
export { WireWriter } from "./wire-writer.ts";
