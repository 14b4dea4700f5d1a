// RabbitMQ: a durable queue, persistent messages, confirms; at most 100 without acknowledgement. Setting `type`: classic or
// quorum.
import { promisify } from "node:util";
import amqp from "amqplib";

/** See AdapterModule in ../src/table/adapter.ts. */
export async function connect({ host, port, queue, settings }) {
  const connection = await amqp.connect(`amqp://guest:guest@${host}:${port}`, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue(queue, { durable: true, arguments: { "x-queue-type": settings.type } });
  const send = promisify((body, answered) => channel.sendToQueue(queue, body, { persistent: true }, answered));
  const add = (payload) => send(Buffer.from(JSON.stringify({ payload })));
  return {
    addBatch: (payloads) => Promise.all(payloads.map(add)),
    add,
    async work(handler) {
      const worker = await connection.createChannel();
      await worker.prefetch(100);
      await worker.consume(queue, (message) => {
        handler(JSON.parse(message.content.toString()).payload);
        worker.ack(message);
      });
    },
    close: () => connection.close(),
  };
}
