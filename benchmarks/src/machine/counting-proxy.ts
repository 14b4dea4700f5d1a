import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A port in front of another, where the bytes that pass both ways are counted. */
export interface CountingProxy {
  readonly port: number;
  /** Bytes so far. */
  readonly bytes: () => number;
  close(): Promise<void>;
}

/** Listens on a free port of the same host. */
export async function countingProxy(host: string, port: number): Promise<CountingProxy> {
  let bytes = 0;
  const sockets = new Set<Socket>();
  const join = (from: Socket, to: Socket): void => {
    sockets.add(from);
    from.setNoDelay(true);
    from.on("data", (data) => {
      bytes += data.length;
      to.write(data);
    });
    from.on("end", () => to.end());
    // Either end may break its connection off: then so does the other.
    from.on("error", () => to.destroy());
    from.on("close", () => sockets.delete(from));
  };
  const server = createServer((client) => {
    const upstream = connect(port, host);
    join(client, upstream);
    join(upstream, client);
  });
  server.listen(0, host);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    bytes: () => bytes,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
