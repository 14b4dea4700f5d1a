// What a worker and a thread that runs its handlers tell each other. Plain data: it is copied from one to the other.

import type { TaskInfo } from "./context.ts";
import type { CancellationReason } from "./failure.ts";
import type { LogFields, Logger } from "./logger.ts";

/** What a thread is told. It runs one handler at a time. */
export type ThreadInput =
  | {
      readonly kind: "run";
      /** URL of the module, and the name that it exports the handler under. */
      readonly module: string;
      readonly exportName: string;
      readonly info: TaskInfo;
      readonly args: readonly unknown[];
    }
  /** The handler should stop. */
  | { readonly kind: "abort"; readonly reason: CancellationReason; readonly message: string };

/** What a handler threw. */
export interface ThrownInThread {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  /** Set where it was an `ApplicationFailure`. */
  readonly failure?: {
    readonly type: string;
    readonly nonRetryable: boolean;
    readonly details: readonly unknown[];
    readonly nextRetryDelayMs: number | undefined;
  };
  /** Set where it says what becomes of the task, and is no failure. */
  readonly means?: "CompleteAsync" | "ReleaseToFallback";
  readonly cause?: ThrownInThread;
}

/** What a thread tells. */
export type ThreadNews =
  | { readonly kind: "heartbeat"; readonly details: unknown }
  | {
      readonly kind: "log";
      readonly level: keyof Logger;
      readonly fields: LogFields;
      readonly message: string;
    }
  /** The handler has ended, and the thread is free. */
  | { readonly kind: "returned"; readonly value: unknown }
  | { readonly kind: "threw"; readonly thrown: ThrownInThread }
  /** It gave way to its signal. */
  | { readonly kind: "gaveWay" };
