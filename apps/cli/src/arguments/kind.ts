import { Option } from "commander";

/** The option that picks one of the two kinds of queue under a name. */
export function kindOption(description: string): Option {
  return new Option("--kind <kind>", description).choices(["activity", "workflow"]);
}
