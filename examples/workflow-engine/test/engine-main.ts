// An engine that is killed at a given point. Arguments: address, log file, after how many tasks to die (0: never), and
// whether that is before the next task is written down or after one that ended a workflow was, but is not answered yet.
import { Client } from "@tq/client";
import { runRole } from "../src/demo/process.ts";
import { Engine } from "../src/engine.ts";
import { workflows } from "./shop.ts";

const [, , address = "", file = "", dieAfter = "0", phase = "before"] = process.argv;
const client = Client.create({ address });
let tasks = 0;

function dieIf(isNow: boolean): void {
  if (isNow && dieAfter !== "0" && tasks >= Number(dieAfter)) process.kill(process.pid, "SIGKILL");
}

let engine: Engine | undefined;
await runRole({
  async start(tell) {
    engine = new Engine({
      client,
      taskQueue: "engine",
      file,
      workflows,
      lease: "1s",
      maxTasks: 16,
      onTask: () => {
        tasks++;
        dieIf(phase === "before");
      },
      onEnd: (workflow) => {
        dieIf(phase === "after");
        tell({ kind: "ended", workflow });
      },
    });
    await engine.start();
  },
  async stop() {
    await engine?.stop();
    await client.close();
  },
});
