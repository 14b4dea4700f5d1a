/** Why the server could not begin to listen. */
export type ListenErrorCode = "port-in-use" | "no-such-address" | "not-allowed" | "failed";

/** The server could not begin to listen. The text is for the user as it is. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  readonly code: ListenErrorCode;

  constructor(code: ListenErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Turns what Node says into what to do about it. */
export function explainListenFailure(cause: unknown, host: string, port: number): ListenError {
  const options = { cause };
  switch (systemCode(cause)) {
    case "EADDRINUSE":
      return new ListenError(
        "port-in-use",
        `port ${port} on ${host} is in use, perhaps by another tq server; stop that one, or listen on another port (0 takes any that is free)`,
        options,
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EINVAL":
      return new ListenError(
        "no-such-address",
        `cannot listen on ${host}: this machine has no such address; use 127.0.0.1 for this machine alone, or 0.0.0.0 for every interface`,
        options,
      );
    case "EACCES":
    case "EPERM":
      return new ListenError(
        "not-allowed",
        `not allowed to listen on port ${port}; take one from 1024 to 65535`,
        options,
      );
    case undefined:
    default: {
      const text = cause instanceof Error ? cause.message : String(cause);
      return new ListenError("failed", `cannot listen on ${host} port ${port}: ${text}`, options);
    }
  }
}

function systemCode(cause: unknown): string | undefined {
  return cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined;
}
