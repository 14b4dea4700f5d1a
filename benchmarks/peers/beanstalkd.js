// beanstalkd, by its protocol, which is what its client libraries add little to. One connection for adding, on which
// commands follow each other without waiting, and one for each of the worker's 100 slots.
import { once } from "node:events";
import { connect as openSocket } from "node:net";

class Connection {
  #socket;
  #waiting = [];
  #buffer = Buffer.alloc(0);

  constructor(socket) {
    this.#socket = socket;
    socket.on("data", (data) => this.#receive(data));
  }

  static async open(host, port) {
    const socket = openSocket(port, host);
    socket.setNoDelay(true);
    await once(socket, "connect");
    return new Connection(socket);
  }

  /** Answers with the reply's line and body. */
  send(command) {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#socket.write(command);
    });
  }

  close() {
    this.#socket.destroy();
  }

  #receive(data) {
    this.#buffer = this.#buffer.length === 0 ? data : Buffer.concat([this.#buffer, data]);
    for (;;) {
      const end = this.#buffer.indexOf("\r\n");
      if (end < 0) return;
      const line = this.#buffer.toString("latin1", 0, end);
      let used = end + 2;
      let body;
      if (line.startsWith("RESERVED")) {
        const length = Number(line.split(" ")[2]);
        if (this.#buffer.length < used + length + 2) return;
        body = this.#buffer.toString("utf8", used, used + length);
        used += length + 2;
      }
      this.#buffer = this.#buffer.subarray(used);
      this.#waiting.shift()({ line, body });
    }
  }
}

/** See AdapterModule in ../src/table/adapter.ts. */
export async function connect({ host, port, queue }) {
  const producer = await Connection.open(host, port);
  await producer.send(`use ${queue}\r\n`);
  const workers = [];
  const add = async (payload) => {
    const body = JSON.stringify({ payload });
    const { line } = await producer.send(`put 0 0 60 ${Buffer.byteLength(body)}\r\n${body}\r\n`);
    if (!line.startsWith("INSERTED")) throw new Error(`beanstalkd answered ${line}`);
  };
  const slot = async (handler) => {
    const connection = await Connection.open(host, port);
    workers.push(connection);
    await connection.send(`watch ${queue}\r\n`);
    void (async () => {
      for (;;) {
        const { line, body } = await connection.send("reserve\r\n");
        handler(JSON.parse(body).payload);
        await connection.send(`delete ${line.split(" ")[1]}\r\n`);
      }
    })();
  };
  return {
    addBatch: (payloads) => Promise.all(payloads.map(add)),
    add,
    work: (handler) => Promise.all(Array.from({ length: 100 }, () => slot(handler))),
    async close() {
      for (const connection of [producer, ...workers]) connection.close();
    },
  };
}
