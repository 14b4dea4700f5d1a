/* The thread of checkpoints.ts: a connection of its own that does nothing else. */
import { parentPort, workerData } from "node:worker_threads";
import Database from "better-sqlite3";
import type { CheckpointNews, LogState } from "./checkpoints.ts";
import { whyOf } from "./why.ts";

const port = parentPort;
if (port === null) throw new Error("this module runs in a thread");
const db = new Database(String(workerData), { fileMustExist: true });
const checkpoint = db.prepare<[], LogState>("pragma wal_checkpoint(passive)");

port.on("message", (what: "checkpoint" | "close") => {
  if (what === "close") {
    db.close();
    port.close();
    return;
  }
  let news: CheckpointNews;
  try {
    news = checkpoint.get() ?? { log: 0, checkpointed: 0 };
  } catch (error) {
    news = whyOf(error);
  }
  port.postMessage(news);
});
