import { createHook, type AsyncHook, type HookCallbacks } from "node:async_hooks";

/** Node's names of work that is begun once and ends once: files, crypto, name look-ups, connecting, writing to sockets. */
const requestType = /REQ(UEST|WRAP)?$|^FSREQ|CONNECTWRAP$|^QUERYWRAP$|^WRITEWRAP$/;

/**
 * Counts what Node does for this process outside of the event loop and will call back about: reading a file, hashing,
 * compressing, looking up a name. What goes on for long by itself (child processes, threads, sockets that are read from)
 * cannot be told from what waits, and is not counted.
 */
export class RealRequests {
  readonly #underWay = new Map<number, string>();
  /** What compresses or decompresses, over many calls: at work while it has a chunk in hand. */
  readonly #compressors = new Map<number, WeakRef<object>>();
  readonly #hook: AsyncHook;

  constructor() {
    const callbacks: HookCallbacks & { readonly trackPromises: boolean } = {
      init: (id, type, _trigger, resource) => {
        if (type === "ZLIB") this.#compressors.set(id, new WeakRef(resource));
        else if (type !== "PROMISE" && requestType.test(type)) this.#underWay.set(id, type);
      },
      before: (id) => void this.#underWay.delete(id),
      destroy: (id) => {
        this.#underWay.delete(id);
        this.#compressors.delete(id);
      },
      // Promises are most of what is made, and none of them is a request. Where Node does not know the option (before 24)
      // each costs a call of `init`.
      trackPromises: false,
    };
    this.#hook = createHook(callbacks);
  }

  /** Begins to count; what is under way already is not seen. */
  start(): void {
    this.#hook.enable();
  }

  /** Counts no more. */
  stop(): void {
    this.#hook.disable();
    this.#underWay.clear();
    this.#compressors.clear();
  }

  /** What is under way, by Node's names. */
  get underWay(): readonly string[] {
    const compressing = [...this.#compressors.values()].filter((compressor) => hasChunk(compressor.deref()));
    return [...this.#underWay.values(), ...compressing.map(() => "ZLIB")];
  }
}

/** Node keeps the chunk that is being written with the handle, and takes it away when that is done. */
function hasChunk(handle: object | undefined): boolean {
  return handle !== undefined && "buffer" in handle && handle.buffer !== null && handle.buffer !== undefined;
}
