// A thread that looks what the main thread is doing when told to, and tells what it found.

import { parentPort, workerData } from "node:worker_threads";
import { systemClock } from "@tq/client";
import { lookAtMainThread } from "../src/blocking-code.ts";

const blocked = new Int32Array(workerData as SharedArrayBuffer);
parentPort?.on("message", () => {
  // Until the main thread says that it is about to be blocked.
  Atomics.wait(blocked, 0, 0);
  void lookAtMainThread(systemClock).found.then((code) => {
    parentPort?.postMessage(code);
    Atomics.store(blocked, 1, 1);
    Atomics.notify(blocked, 1);
  });
});
