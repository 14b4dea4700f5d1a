import { ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "@tq/proto/google/rpc";
import { errorTable, type Reason } from "./error-table.ts";

/** Domain of the ErrorInfo of every error that this service makes. */
const errorDomain = "tq";

/** A field that is wrong. */
export interface FieldViolation {
  readonly reason: Reason;
  /** Path from the request, in the names of the proto: "tasks[3].task_queue.name". */
  readonly field: string;
  /** What is wrong with it and what it takes, without the field's name: "must not be empty". */
  readonly description: string;
}

/** What a refusal says beside its reason. */
export interface RefusalDetails {
  /** The name or id that it happened to, for the table's text. */
  readonly subject?: string;
  /** Said in place of the table's text. */
  readonly message?: string;
  readonly fields?: readonly FieldViolation[];
  readonly retryAfterMs?: number;
  readonly metadata?: Readonly<Record<string, string>>;
  /** For the log; does not leave the server. */
  readonly cause?: unknown;
}

/** The one error class of the RPC handlers: a call that is refused, and why. */
export class CallRefused extends Error {
  override readonly name = "CallRefused";
  readonly reason: Reason;
  readonly fields: readonly FieldViolation[];
  readonly retryAfterMs: number | undefined;
  readonly metadata: Readonly<Record<string, string>>;

  constructor(reason: Reason, details: RefusalDetails = {}) {
    super(details.message ?? messageOf(reason, details), { cause: details.cause });
    this.reason = reason;
    this.fields = details.fields ?? [];
    this.retryAfterMs = details.retryAfterMs ?? errorTable[reason].retryAfterMs;
    this.metadata = details.metadata ?? {};
  }
}

/** The same as clients get it: the reason's code, with google.rpc details. */
export function toConnectError(refused: CallRefused): ConnectError {
  const error = new ConnectError(refused.message, errorTable[refused.reason].code);
  error.cause = refused.cause;
  error.details.push({
    desc: ErrorInfoSchema,
    value: { reason: refused.reason, domain: errorDomain, metadata: { ...refused.metadata } },
  });
  if (refused.fields.length > 0) {
    error.details.push({
      desc: BadRequestSchema,
      value: { fieldViolations: refused.fields.map((field) => ({ ...field })) },
    });
  }
  if (refused.retryAfterMs !== undefined) {
    const seconds = Math.floor(refused.retryAfterMs / 1_000);
    const nanos = Math.round((refused.retryAfterMs - seconds * 1_000) * 1_000_000);
    error.details.push({ desc: RetryInfoSchema, value: { retryDelay: { seconds: BigInt(seconds), nanos } } });
  }
  return error;
}

/** How many fields the text of an error names; BadRequest has more of them. */
const fieldsInMessage = 3;

function messageOf(reason: Reason, { subject, fields = [] }: RefusalDetails): string {
  const text = errorTable[reason].message.replace("{subject}", () => quote(subject ?? ""));
  if (fields.length === 0) return text;
  const named = fields.slice(0, fieldsInMessage).map(({ field, description }) => `${field} ${description}`);
  if (fields.length > fieldsInMessage) named.push(`and ${fields.length - fieldsInMessage} more`);
  return `${text}: ${named.join("; ")}`;
}

/** Longest subject that is quoted whole, in characters: longer than any valid name. */
const longestQuote = 300;

function quote(subject: string): string {
  return JSON.stringify(subject.length > longestQuote ? `${subject.slice(0, longestQuote)}…` : subject);
}
