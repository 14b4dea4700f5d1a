/* The client of the bare prototype: calls over HTTP/1.1, and a worker of two halves, of polls or of open requests. */
import { request as openRequest } from "node:http";
import { Pool } from "undici";
import { idsMessage, inStream, payloadsMessage, streamReader, tasksOf } from "../prototype/messages.ts";
import { type Adapter, slots, type Target } from "../table/adapter.ts";

/** See AdapterModule. The setting `worker` is `polls` or `stream`. */
export async function connect({ host, port, queue, settings }: Target): Promise<Adapter> {
  // More than the hundred callers and the polls take at once; without a bound, a stall at 5,000/s opens thousands.
  const pool = new Pool(`http://${host}:${port}`, { connections: 100 + slots });
  const closing = new AbortController();
  const running: Promise<unknown>[] = [];
  const post = async (path: string, body: Buffer): Promise<Buffer> => {
    const reply = await pool.request({ path, method: "POST", body, headersTimeout: 0 });
    if (reply.statusCode !== 200) throw new Error(`${path} was answered with status ${reply.statusCode}`);
    return Buffer.from(await reply.body.arrayBuffer());
  };
  const addBatch = (payloads: readonly string[]): Promise<unknown> => post(`/add/${queue}`, payloadsMessage(payloads));
  const half = slots / 2;
  const poll = async (handler: (payload: string) => void): Promise<void> => {
    let done: readonly number[] = [];
    while (!closing.signal.aborted) done = handled(await post(`/poll/${queue}/${half}`, idsMessage(done)), handler);
  };
  const stream = (handler: (payload: string) => void): void => {
    const request = openRequest({
      host,
      port,
      path: `/stream/${queue}/${half}`,
      method: "POST",
      signal: closing.signal,
    });
    request.on("response", (response) => {
      response.on(
        "data",
        streamReader((message) => request.write(inStream(idsMessage(handled(message, handler))))),
      );
      response.on("error", failedUnlessClosing);
      response.on("end", () => failedUnlessClosing(new Error("the server has ended the stream")));
    });
    request.on("error", failedUnlessClosing);
    request.flushHeaders();
  };
  const failedUnlessClosing = (error: Error): void => {
    if (!closing.signal.aborted) throw error;
  };
  return {
    addBatch,
    add: (payload) => addBatch([payload]),
    async work(handler) {
      for (let i = 0; i < 2; i++) {
        if (settings["worker"] === "stream") stream(handler);
        else running.push(poll(handler).catch(failedUnlessClosing));
      }
    },
    async close() {
      closing.abort();
      await pool.destroy();
      await Promise.all(running);
    },
  };
}

/** Runs the handler of each task. Answers their numbers. */
function handled(message: Buffer, handler: (payload: string) => void): number[] {
  return tasksOf(message).map(({ id, payload }) => {
    handler(payload.toString());
    return id;
  });
}
