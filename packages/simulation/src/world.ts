/* One simulated world: a machine with its disk and clock, a server on it, a network, and those who use it. */
import { SimulatedClock } from "./clock.ts";
import { Disk } from "./folder.ts";
import type { Entry } from "./history.ts";
import { Network, noFaults, type Faults } from "./network.ts";
import { Operators } from "./operators.ts";
import { Producers } from "./producers.ts";
import { Random } from "./random.ts";
import type { CommitFault } from "./recording-store.ts";
import { Repeater } from "./repeater.ts";
import { ServerProcess, type Machine } from "./server-process.ts";
import { SimulatedWorkers } from "./workers.ts";

/** Where every world begins: 2026-01-01T00:00:00Z. */
const beginning = 1_767_225_600_000;
/** With so many open tasks there is enough to do. */
const enoughTasks = 60;

const everydayFaults: Faults = {
  "request lost": 0.02,
  "reply lost": 0.06,
  "arrives twice": 0.04,
  "connection breaks": 0.15,
};

/** Everything of one run. */
export class World {
  readonly random: Random;
  readonly clock = new SimulatedClock(beginning);
  readonly history: Entry[] = [];
  readonly network: Network;
  readonly producers: Producers;
  readonly workers: SimulatedWorkers;
  readonly operators: Operators;
  readonly repeater: Repeater;
  readonly #machine: Machine;
  readonly #disk = new Disk();
  #server: ServerProcess | undefined;
  /** Servers that have lost the store, and do not know it yet. */
  #replaced: ServerProcess[] = [];
  readonly #processes: ServerProcess[] = [];
  #openTasks = 0;
  /** Whether anything was written, or read anew from the disk, since it was last asked. */
  #hasChanged = true;

  constructor(seed: number, breakStore: Machine["breakStore"]) {
    this.random = new Random(seed);
    const record = (entry: Entry): void => this.record(entry);
    const elapsed = (): number => this.clock.elapsed;
    this.network = new Network(this.random.fork(), record, everydayFaults);
    this.repeater = new Repeater(this.random.fork(), this.network, elapsed);
    this.producers = new Producers(this.random.fork(), this.repeater, (namespace) => this.workers.ownQueues(namespace));
    this.workers = new SimulatedWorkers(this.random.fork(), this.network, this.repeater, (namespace) =>
      this.hasEnough
        ? undefined
        : { newId: () => this.producers.newId(namespace), someId: () => this.producers.someId(namespace) },
    );
    this.operators = new Operators(this.random.fork(), this.repeater, () => this.clock.wall);
    this.#machine = { clock: this.clock, disk: this.#disk, random: this.random.fork().next, record, breakStore };
  }

  /** Whether no more tasks should come. */
  get hasEnough(): boolean {
    return this.#openTasks >= enoughTasks;
  }

  get server(): ServerProcess | undefined {
    return this.#server?.isDead === true ? undefined : this.#server;
  }

  /** Every server that there was. */
  get processes(): readonly ServerProcess[] {
    return this.#processes;
  }

  record(entry: Entry): void {
    if (entry.kind === "commit") this.#openTasks = entry.open.length;
    if (entry.kind === "commit" || entry.kind === "commit-refused" || entry.kind === "opened") this.#hasChanged = true;
    const { elapsed } = this.clock;
    const isTimed = entry.kind === "commit" || entry.kind === "call" || entry.kind === "reply";
    this.history.push(isTimed ? { ...entry, elapsed } : entry);
  }

  /** Whether the state is another one than when this was last asked. */
  takeChanged(): boolean {
    const changed = this.#hasChanged;
    this.#hasChanged = false;
    return changed;
  }

  tell(what: string): void {
    this.record({ kind: "event", what });
  }

  /** Starts the first server, and creates what is to be there. */
  async begin(): Promise<void> {
    await this.startServer();
    const { faults } = this.network;
    this.network.faults = noFaults;
    this.operators.createNamespaces();
    await this.clock.settle();
    this.network.faults = faults;
  }

  /** Starts a server over what is on the disk, perhaps beside one that has it open. */
  async startServer(beside?: ServerProcess): Promise<void> {
    const server = new ServerProcess(this.#processes.length + 1, this.#machine, beside);
    this.#processes.push(server);
    await server.start();
    this.#server = server;
    this.network.route(server);
  }

  /** Kills the server now, between two commits. */
  crash(): void {
    this.tell("the server is killed");
    this.server?.crash();
    this.#endReplaced();
  }

  failNextCommit(fault: CommitFault): void {
    this.server?.failNextCommit(fault);
  }

  /** Stops the server in good order and starts another one. */
  async restart(): Promise<void> {
    this.tell("the server is restarted");
    await this.server?.stop();
    this.#endReplaced();
    await this.startServer();
  }

  /** A second server opens the store beside the first, which does not know of it. */
  async takeOver(): Promise<void> {
    const { server } = this;
    if (server === undefined) return;
    this.tell("another server takes the store over");
    this.#disk.breakLock();
    server.replaced();
    await this.startServer(server);
    this.#replaced.push(server);
    // Some clients still reach the old one.
    if (this.random.chance(0.7)) this.network.route(server);
  }

  /** Sees to it that a server runs, and that clients reach it. */
  async bringUp(): Promise<void> {
    if (this.server === undefined) {
      // It may have died in a commit, beside one that it had replaced.
      this.#endReplaced();
      await this.startServer();
    }
    this.network.route(this.server);
  }

  /** Servers that were replaced are killed: nobody else would notice that they are there. */
  #endReplaced(): void {
    for (const server of this.#replaced) server.abandon();
    this.#replaced = [];
  }

  /** Ends everything, and leaves nothing on the disk. */
  dispose(): void {
    for (const server of this.#processes) server.abandon();
    this.#disk.remove();
  }
}
