import { startBeanstalkd } from "./beanstalkd.ts";
import { startBunqueue } from "./bunqueue.ts";
import type { Contender } from "./contender.ts";
import { findCommand, packageOf, type ProgramName } from "./installed.ts";
import { startNats } from "./nats.ts";
import { bunFile, peerAdapter } from "./peer-packages.ts";
import { startPostgres } from "./postgres.ts";
import { startRabbitmq } from "./rabbitmq.ts";
import { startRedis } from "./redis.ts";

/** A peer, and the program that its server needs; none if that comes with its client library. */
export interface Peer extends Contender {
  readonly program: ProgramName | undefined;
}

const none = {};
const eachCommit = "fsync of the write-ahead log at each commit (synchronous_commit=on)";

/** Every peer in every setting, in the order of the table. Once their packages are installed. */
export function allPeers(): readonly Peer[] {
  const bun = { adapter: peerAdapter("bunqueue"), clientProgram: bunFile(), program: undefined, start: startBunqueue };
  const bullmq = { adapter: peerAdapter("bullmq"), settings: none, program: "redis-server" } as const;
  const rabbitmq = { adapter: peerAdapter("rabbitmq"), program: "rabbitmq-server", start: startRabbitmq } as const;
  return [
    {
      ...bullmq,
      name: "BullMQ (fsync always)",
      durability: "fsync of the append-only file with each write",
      isDurable: true,
      start: (folder) => startRedis(folder, "always"),
    },
    {
      ...bullmq,
      name: "BullMQ (fsync everysec)",
      durability: "fsync of the append-only file once a second: up to a second is lost",
      isDurable: false,
      start: (folder) => startRedis(folder, "everysec"),
    },
    {
      name: "graphile-worker",
      durability: eachCommit,
      isDurable: true,
      adapter: peerAdapter("graphile-worker"),
      settings: none,
      program: "postgres",
      start: startPostgres,
    },
    {
      name: "pg-boss",
      durability: eachCommit,
      isDurable: true,
      adapter: peerAdapter("pg-boss"),
      settings: none,
      program: "postgres",
      start: startPostgres,
    },
    {
      name: "beanstalkd",
      durability: "fsync of the log with each write",
      isDurable: true,
      // Its log is made in files of 10 MiB, set aside whole: a bulk add begins one, or none.
      untold: ["diskBytes"],
      adapter: peerAdapter("beanstalkd"),
      settings: none,
      program: "beanstalkd",
      start: startBeanstalkd,
    },
    {
      ...rabbitmq,
      name: "RabbitMQ (quorum)",
      durability: "fsync of the Raft log before each confirm",
      isDurable: true,
      settings: { type: "quorum" },
    },
    {
      ...rabbitmq,
      name: "RabbitMQ (classic)",
      durability: "dispatched before the fsync, confirmed after it, in batches",
      isDurable: true,
      settings: { type: "classic" },
    },
    {
      name: "NATS JetStream",
      durability: "written to a file, fsync every two minutes: up to two minutes are lost",
      isDurable: false,
      adapter: peerAdapter("nats"),
      settings: none,
      program: "nats-server",
      start: startNats,
    },
    {
      ...bun,
      name: "bunqueue",
      durability: "before it is on disk: a buffer of 10 ms",
      isDurable: false,
      settings: none,
    },
    {
      ...bun,
      name: "bunqueue (durable)",
      durability: "written to SQLite before the acknowledgement, fsynced at checkpoints alone (synchronous=NORMAL)",
      isDurable: false,
      settings: { durable: "true" },
    },
  ];
}

/** Whether the peer's server can be started here. */
export function isInstalled(peer: Peer): boolean {
  return peer.program === undefined || findCommand(peer.program) !== undefined;
}

/** What to type for the peers that are not installed. Undefined if all are. */
export function installCommand(peers: readonly Peer[]): string | undefined {
  const missing = peers.flatMap(({ program }) =>
    program === undefined || findCommand(program) !== undefined ? [] : [packageOf(program)],
  );
  return missing.length === 0 ? undefined : `apt-get install ${[...new Set(missing)].join(" ")}`;
}
