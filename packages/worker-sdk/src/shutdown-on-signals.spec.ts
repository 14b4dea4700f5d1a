import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { settle } from "../test/manual-clock.ts";
import { gate, rig } from "../test/rig.ts";
import { shutdownOnSignals, type SignaledProcess } from "./shutdown-on-signals.ts";

/** A process that a test sends signals to. */
class FakeProcess extends EventEmitter implements SignaledProcess {
  exitCode: number | undefined;
  readonly exits: number[] = [];
  exit(code: number): void {
    this.exits.push(code);
  }
}

async function busy() {
  const end = gate();
  const all = await rig({ activities: { work: async () => end.promise }, shutdownGraceTime: "10s" });
  all.server.add("a", "work");
  await settle();
  const own = new FakeProcess();
  return { ...all, end, own };
}

test.each([
  ["SIGTERM", 0],
  ["SIGINT", 130],
] as const)("%s lets what runs finish, and then the process ends with %i", async (signal, status) => {
  const { worker, clock, own, end, run, server } = await busy();
  shutdownOnSignals(worker, { process: own });
  own.emit(signal, signal);
  await clock.advance(5_000);
  expect(worker.getState()).toBe("STOPPING");
  expect(own.exitCode).toBeUndefined();
  end.resolve();
  await clock.advance(0);
  await run;
  expect(server.answered("completed")).toBe("a");
  expect([own.exitCode, own.exits]).toEqual([status, []]);
  // Nothing is left of it.
  expect(own.eventNames()).toEqual([]);
});

test("a second signal ends the process at once", async () => {
  const { worker, clock, own, end } = await busy();
  shutdownOnSignals(worker, { process: own });
  own.emit("SIGTERM", "SIGTERM");
  await clock.advance(1_000);
  expect(own.exits).toEqual([]);
  own.emit("SIGINT", "SIGINT");
  expect(own.exits).toEqual([130]);
  end.resolve();
});

test("what is left at the end of the force time is given back, and reported", async () => {
  const { worker, clock, own, end, run, server, lines } = await busy();
  shutdownOnSignals([worker], { process: own });
  own.emit("SIGTERM", "SIGTERM");
  await clock.advance(15_000);
  await run;
  expect(server.answered("released")).toBe("a");
  expect(own.exitCode).toBe(0);
  expect(lines.at(-1)).toMatchObject({ message: "The worker has stopped", finished: 0, givenBack: 1, answersLost: 0 });
  end.resolve();
});

test("taken back, it leaves signals alone", async () => {
  const { worker, own, end } = await busy();
  shutdownOnSignals(worker, { process: own })();
  own.emit("SIGTERM", "SIGTERM");
  expect(worker.getState()).toBe("RUNNING");
  expect(own.eventNames()).toEqual([]);
  end.resolve();
});
