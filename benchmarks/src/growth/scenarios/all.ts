import type { GrowthScenario } from "../scenario.ts";
import { backlog } from "./backlog.ts";
import { blockedHead } from "./blocked-head.ts";
import { churn } from "./churn.ts";
import { delayed } from "./delayed.ts";
import { fairnessKeys } from "./fairness-keys.ts";
import { handlers } from "./handlers.ts";
import { idleQueues } from "./idle-queues.ts";
import { payloadSizes } from "./payload-sizes.ts";
import { producers } from "./producers.ts";
import { queues } from "./queues.ts";
import { waitingPolls } from "./waiting-polls.ts";
import { workers } from "./workers.ts";

/** Every scenario, in the order of the README. */
export const growthScenarios: readonly GrowthScenario[] = [
  backlog,
  queues,
  idleQueues,
  waitingPolls,
  blockedHead,
  delayed,
  fairnessKeys,
  payloadSizes,
  workers,
  producers,
  handlers,
  churn,
];
