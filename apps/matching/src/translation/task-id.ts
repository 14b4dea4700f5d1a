import { randomUUID } from "node:crypto";

/** A new task id: a UUIDv7, so that ids made later sort later and index pages stay together. */
export function makeTaskId(nowMs: number): string {
  const time = Math.floor(nowMs).toString(16).padStart(12, "0");
  // Its time and version take the place of the first half of a random (v4) one.
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}
