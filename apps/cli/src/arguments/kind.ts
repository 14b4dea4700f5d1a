import { type Command, Option } from "commander";

/** The kind of queue that a command was told. */
export interface KindFlag {
  /** Unset: both, unless the command says otherwise. */
  readonly kind?: "activity" | "workflow";
}

/** The option that picks one of the two kinds of queue under a name. */
export function kindOption(description: string): Option {
  return new Option("--kind <kind>", description).choices(["activity", "workflow"]);
}

/** Refuses a kind that is a filter for nothing. */
export function refuseKindWithoutQueue(
  command: Command,
  { kind, queue }: KindFlag & { readonly queue?: string },
): void {
  if (kind !== undefined && queue === undefined) {
    command.error("error: option '--kind <kind>' needs --queue: it picks one of the two queues under a name");
  }
}
