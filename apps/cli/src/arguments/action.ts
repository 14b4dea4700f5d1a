import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ActionSchema } from "@tq/proto";
import type { Command } from "commander";
import type { Session } from "../session.ts";
import { filledArgument } from "./text.ts";

/** Who asks for a change, and why: `tq events` shows it. */
export interface ActionFlags {
  readonly reason?: string;
  readonly actor?: string;
}

/** Gives a command that changes something the options that say who asks, and why. */
export function addActionOptions(command: Command): Command {
  return command
    .option("--reason <text>", "why, for `tq events` and for whoever sees its effect")
    .option("--actor <name>", "who asks (default: user@host)", filledArgument);
}

/** The contract's message of it. Each call of this makes a new request. */
export function actionOf({ reason = "", actor }: ActionFlags, session: Session): MessageInitShape<typeof ActionSchema> {
  return { requestId: session.client.config.newId(), actor: actor ?? session.actor, reason };
}
