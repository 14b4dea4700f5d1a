export type { Dependencies, TextStream } from "./dependencies.ts";
export { ExitCode, type Interruption } from "./exit-codes.ts";
export { runTq } from "./run.ts";
