import { Client } from "@tq/client";
import { Engine } from "../engine.ts";
import { runRole } from "./process.ts";
import { engineQueue, leaseMs, workflows } from "./workflows.ts";

const [, , address = "", file = ""] = process.argv;
const client = Client.create({ address });
let engine: Engine | undefined;
let tellRuns = () => {};

await runRole({
  async start(tell) {
    tellRuns = () => {
      if (engine !== undefined) tell({ kind: "runs", hits: engine.runCache.hits, misses: engine.runCache.misses });
    };
    engine = new Engine({
      client,
      taskQueue: engineQueue,
      file,
      workflows,
      lease: leaseMs,
      onEnd: (workflow) => tell({ kind: "ended", workflow }),
    });
    await engine.start();
    void engine.ended().catch((error: unknown) => {
      console.error(error instanceof Error ? error.message : error);
      process.exit(1);
    });
  },
  async stop() {
    await engine?.stop();
    tellRuns();
    await client.close();
  },
});
