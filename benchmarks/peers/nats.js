// NATS JetStream: a work queue stream on file, a consumer with explicit acknowledgements.
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect as open } from "@nats-io/transport-node";

/** See AdapterModule in ../src/table/adapter.ts. */
export async function connect({ host, port, queue: name }) {
  const connection = await open({ servers: `${host}:${port}` });
  const manager = await jetstreamManager(connection);
  const subject = `${name}.task`;
  await manager.streams.add({ name, subjects: [subject], retention: "workqueue", storage: "file" });
  await manager.consumers.add(name, { durable_name: "worker", ack_policy: "explicit", max_ack_pending: 5000 });
  const stream = jetstream(connection);
  const add = (payload) => stream.publish(subject, JSON.stringify({ payload }));
  let messages;
  return {
    addBatch: (payloads) => Promise.all(payloads.map(add)),
    add,
    async work(handler) {
      const consumer = await stream.consumers.get(name, "worker");
      messages = await consumer.consume({ max_messages: 1000 });
      void (async () => {
        for await (const message of messages) {
          handler(message.json().payload);
          message.ack();
        }
      })();
    },
    async close() {
      await messages?.close();
      await connection.close();
    },
  };
}
