/*
 * Plays one scenario; started by play-apart.ts with one argument, a ScenarioOrder as JSON. Sends each point as it is
 * measured, and ends as soon as the process that started it has ended.
 */
import type { Point } from "./scenario.ts";
import { growthScenarios } from "./scenarios/all.ts";

/** What to play, and how. */
export interface ScenarioOrder {
  readonly scenario: string;
  readonly scale: number;
  readonly churnMinutes: number;
  /** What is left of the time for all. A scenario that goes on for as long as it may ends some seconds before. */
  readonly limitMs: number;
}

/** What it sends. */
export type ScenarioMessage = { readonly point: Point } | { readonly isDone: true };

if (process.send === undefined) throw new Error("this is started by pnpm bench:growth");
const tell = (message: ScenarioMessage): void => void process.send?.(message);
process.on("disconnect", () => process.exit(1));

const { scenario: name, ...options } = JSON.parse(process.argv[2] ?? "") as ScenarioOrder;
const scenario = growthScenarios.find((each) => each.name === name);
if (scenario === undefined) throw new Error(`there is no scenario ${name}`);
await scenario.measure({ ...options, mostPoints: Infinity, progress: (point) => tell({ point }) });
tell({ isDone: true });
process.disconnect();
