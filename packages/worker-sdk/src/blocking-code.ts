// Finds out what blocks the main thread's event loop, from another thread: by V8's inspector, which stops the main thread for
// about a millisecond, wherever it is, to look where it is and which handler that belongs to. Until then it costs nothing,
// and it knows the handler also where that computes after an `await`, which no mark set at its start could tell.

import type { Session } from "node:inspector";
import type { Clock } from "@tq/client";

/** What blocks an event loop. */
export interface BlockingCode {
  /** Type of the task whose handler it is; unset where it is no handler's. */
  readonly type?: string;
  readonly taskId?: string;
  /** The function, its file and line, such as `parse (file:///app/parse.js:17)`. */
  readonly at: string;
}

/** What {@link nameRunningHandler} is asked. */
export type RunningHandler = () => Omit<BlockingCode, "at"> | undefined;

/** Where the main thread keeps the function that names the handler that runs. Threads of one process share no variables. */
const asked = "tq.running-handler";
let users = 0;

/** Lets other threads ask which handler runs here. Answers how to end that. */
export function nameRunningHandler(runningHandler: RunningHandler): () => void {
  users++;
  Reflect.set(globalThis, Symbol.for(asked), runningHandler);
  return () => {
    if (--users === 0) Reflect.deleteProperty(globalThis, Symbol.for(asked));
  };
}

/** A look at the main thread. */
export interface Look {
  /** What was found; undefined if that could not be found out in time, or was ended before. */
  readonly found: Promise<BlockingCode | undefined>;
  /** Looks no longer. */
  end(): void;
}

/** A main thread that waits for the system, and not in JavaScript, cannot be looked at. */
const patienceMs = 1_000;

/** Looks what the main thread is doing. For a thread of its process; where there is no inspector, nothing is found. */
export function lookAtMainThread(clock: Clock): Look {
  const { promise: found, resolve } = Promise.withResolvers<BlockingCode | undefined>();
  let session: Session | undefined;
  let isOver = false;
  const over = (code?: BlockingCode) => {
    if (isOver) return;
    isOver = true;
    clock.clearTimeout(timer);
    // Whoever is stopped goes on.
    session?.disconnect();
    resolve(code);
  };
  const timer = clock.setTimeout(over, patienceMs);
  try {
    const inspector = process.getBuiltinModule("node:inspector");
    session = new inspector.Session();
    session.connectToMainThread();
    whenPaused(session, over);
    session.post("Debugger.enable");
    session.post("Debugger.pause");
  } catch {
    // A Node that was built without, or forbids it.
    over();
  }
  return { found, end: () => over() };
}

/** Whether a debugger is, or may be, attached here: it holds the event loop up as it likes, and nobody else may meddle. */
export function isInspected(): boolean {
  return process.getBuiltinModule("node:inspector")?.url() !== undefined;
}

function whenPaused(session: Session, tell: (code?: BlockingCode) => void): void {
  // Told of every script, as the debugger is enabled; a frame has no more than the number of its script.
  const urls = new Map<string, string>();
  session.on("Debugger.scriptParsed", ({ params: { scriptId, url } }) => urls.set(scriptId, url));
  session.once("Debugger.paused", ({ params: { callFrames } }) => {
    const [frame] = callFrames;
    if (frame === undefined) {
      tell();
      return;
    }
    const { functionName, location, callFrameId } = frame;
    const file = urls.get(location.scriptId) ?? "";
    const at = `${functionName === "" ? "(anonymous)" : functionName} (${file}:${location.lineNumber + 1})`;
    const expression = `globalThis[Symbol.for(${JSON.stringify(asked)})]?.()`;
    session.post("Debugger.evaluateOnCallFrame", { callFrameId, expression, returnByValue: true }, (error, answer) => {
      const handler = error === null ? (answer.result.value as ReturnType<RunningHandler>) : undefined;
      tell({ ...handler, at });
    });
  });
}
