import { InvalidArgumentError } from "commander";

/** Where a server listens. */
export interface ListenAddress {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
}

/** Reads `host:port`, or `[::1]:port`. */
export function listenArgument(text: string): ListenAddress {
  const match = /^(?:\[([\da-f:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/i.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host !== undefined && port <= 65_535) return { host, port };
  throw new InvalidArgumentError("Write it like 127.0.0.1:7333 or [::1]:7333.");
}

/** Whether only programs on this machine can reach it. */
export function isLoopback({ host }: ListenAddress): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d+){3}$/.test(host);
}
