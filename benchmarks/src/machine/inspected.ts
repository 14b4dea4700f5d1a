/** A process that was started with `--inspect`, as its debugger has it. */
export interface Inspected {
  /** One of the methods of the Chrome DevTools Protocol. */
  readonly call: (method: string, params?: object) => Promise<unknown>;
  readonly close: () => void;
}

interface Message {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/** `output` is what the process printed, which says where its debugger listens. */
export async function inspected(output: string): Promise<Inspected> {
  const [, url] = /Debugger listening on (ws:\S+)/.exec(output) ?? [];
  if (url === undefined) throw new Error(`it does not say where its debugger listens: ${output}`);
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", () => reject(new Error(`cannot connect to ${url}`)));
  });
  const answers = new Map<number, (message: Message) => void>();
  socket.addEventListener("message", ({ data }) => {
    const message = JSON.parse(String(data)) as Message;
    if (message.id !== undefined) answers.get(message.id)?.(message);
  });
  let last = 0;
  return {
    call: (method, params = {}) =>
      new Promise((resolve, reject) => {
        const id = ++last;
        answers.set(id, ({ result, error }) => {
          answers.delete(id);
          if (error === undefined) resolve(result);
          else reject(new Error(`${method}: ${error.message}`));
        });
        socket.send(JSON.stringify({ id, method, params }));
      }),
    close: () => socket.close(),
  };
}
