/* The prototype's messages: tasks with their numbers, payloads without, and numbers alone. */

/** A task as the prototype hands it out. */
export interface BareTask {
  readonly id: number;
  readonly payload: Buffer;
}

/** Payloads, each behind its length. */
export function payloadsMessage(payloads: readonly string[]): Buffer {
  const message = Buffer.allocUnsafe(payloads.reduce((bytes, payload) => bytes + 4 + Buffer.byteLength(payload), 0));
  let at = 0;
  for (const payload of payloads) {
    const bytes = message.write(payload, at + 4);
    message.writeUInt32LE(bytes, at);
    at += 4 + bytes;
  }
  return message;
}

/** What {@link payloadsMessage} made. They share its bytes. */
export function payloadsOf(message: Buffer): Buffer[] {
  const payloads: Buffer[] = [];
  for (let at = 0; at < message.length;) {
    const end = at + 4 + message.readUInt32LE(at);
    payloads.push(message.subarray(at + 4, end));
    at = end;
  }
  return payloads;
}

/** Tasks, each as its number, the length of its payload, and the payload. */
export function tasksMessage(tasks: readonly BareTask[]): Buffer {
  const message = Buffer.allocUnsafe(tasks.reduce((bytes, { payload }) => bytes + 8 + payload.length, 0));
  let at = 0;
  for (const { id, payload } of tasks) {
    message.writeUInt32LE(id, at);
    message.writeUInt32LE(payload.length, at + 4);
    message.set(payload, at + 8);
    at += 8 + payload.length;
  }
  return message;
}

/** What {@link tasksMessage} made. They share its bytes. */
export function tasksOf(message: Buffer): BareTask[] {
  const tasks: BareTask[] = [];
  for (let at = 0; at < message.length;) {
    const end = at + 8 + message.readUInt32LE(at + 4);
    tasks.push({ id: message.readUInt32LE(at), payload: message.subarray(at + 8, end) });
    at = end;
  }
  return tasks;
}

/** The numbers of tasks that are done. */
export function idsMessage(ids: readonly number[]): Buffer {
  const message = Buffer.allocUnsafe(4 * ids.length);
  for (const [i, id] of ids.entries()) message.writeUInt32LE(id, 4 * i);
  return message;
}

/** What {@link idsMessage} made. */
export function idsOf(message: Buffer): number[] {
  return Array.from({ length: message.length / 4 }, (_, i) => message.readUInt32LE(4 * i));
}

/** A message of a stream, behind its length. */
export function inStream(message: Buffer): Buffer {
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32LE(message.length);
  return Buffer.concat([length, message]);
}

/** Takes a stream's bytes as they come, and calls back for each of its messages. */
export function streamReader(onMessage: (message: Buffer) => void): (bytes: Buffer) => void {
  let kept: Buffer = Buffer.alloc(0);
  return (bytes) => {
    kept = kept.length === 0 ? bytes : Buffer.concat([kept, bytes]);
    while (kept.length >= 4) {
      const end = 4 + kept.readUInt32LE(0);
      if (kept.length < end) return;
      const message = kept.subarray(4, end);
      kept = kept.subarray(end);
      onMessage(message);
    }
  };
}
