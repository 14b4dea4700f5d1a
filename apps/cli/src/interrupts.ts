import { type ExitCode, exitCodeOfInterruption, type Interruption } from "./exit-codes.ts";

/**
 * Ends the running command when a signal comes or the reader of its output has gone, unless the command has said that it
 * sees to that itself.
 */
export class Interrupts {
  /** The exit code, once the command was ended from outside. */
  readonly ended: Promise<ExitCode>;
  readonly #controller = new AbortController();
  readonly #end: (code: ExitCode) => void;
  #handler: ((interruption: Interruption) => void) | undefined;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<ExitCode>();
    this.ended = promise;
    this.#end = resolve;
  }

  /** Aborts when the command is to end. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** From now on `handler` is told, and nothing else happens. */
  handle(handler: (interruption: Interruption) => void): void {
    this.#handler = handler;
  }

  /** Something happened. */
  notify(interruption: Interruption): void {
    if (this.#handler !== undefined) {
      this.#handler(interruption);
      return;
    }
    this.#end(exitCodeOfInterruption(interruption));
    this.#controller.abort();
  }
}
