import type { ChildMessage } from "./child.ts";

/** What a process of the demo was started for. Run `main` only: importing this does nothing. */
export interface Role {
  start(tell: (message: ChildMessage) => void): Promise<void>;
  stop(): Promise<void>;
}

/** Runs a process of the demo until it gets SIGTERM, or the demo itself has gone. */
export async function runRole(role: Role): Promise<void> {
  const tell = (message: ChildMessage): void => {
    if (process.connected) process.send?.(message, () => {});
  };
  const stopped = Promise.withResolvers<void>();
  // Ctrl-C reaches all processes of a terminal; what is to be done about it is for the demo to say.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", stopped.resolve);
  process.on("disconnect", stopped.resolve);
  await role.start(tell);
  await stopped.promise;
  await role.stop();
  if (process.connected) process.disconnect();
}
