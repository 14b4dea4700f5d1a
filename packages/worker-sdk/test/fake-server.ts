import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createRouterTransport, type Transport } from "@connectrpc/connect";
import { type Clock, encodePayload } from "@tq/client";
import {
  AnswerResult,
  type AnswerStatusSchema,
  type DispatchedTask,
  DispatchedTaskSchema,
  type Heartbeat,
  type PollTasksRequest,
  type RenewLeasesRequest,
  type RespondTasksRequest,
  type TaskAnswer,
  TaskQueueKind,
  WorkerService,
} from "@tq/proto";
import { ErrorInfoSchema } from "@tq/proto/google/rpc";

type CallName = "PollTasks" | "RespondTasks" | "RenewLeases" | "HeartbeatTasks" | "ShutdownWorker";

/** An error as tq's server sends it. */
export function refusal(code: Code, reason: string, message = reason): ConnectError {
  return new ConnectError(message, code, undefined, [{ desc: ErrorInfoSchema, value: { domain: "tq", reason } }]);
}

/** A worker service in memory that keeps no promises of its own: it does what a test tells it to, and writes down what it is asked. */
export class FakeServer {
  readonly polls: PollTasksRequest[] = [];
  readonly responds: RespondTasksRequest[] = [];
  /** Calls that renew, answered at once. */
  readonly renews: RenewLeasesRequest[] = [];
  /** Calls that are held open for news. */
  readonly listens: RenewLeasesRequest[] = [];
  /** Heartbeats by token, in their calls. */
  readonly heartbeats: (readonly Heartbeat[])[] = [];
  readonly shutdowns: string[] = [];
  /** Answers that were accepted, by task id. */
  readonly answers = new Map<string, TaskAnswer>();
  readonly transport: Transport;
  /** Sends as many tasks as there are, whatever was asked for. */
  isGenerous = false;
  /** Knows nothing of answers that come with a poll. */
  ignoresAnswersOfPolls = false;
  /** Answers polls at once, with nothing. */
  isAbsentMinded = false;
  drainRequested = false;
  registrationsWanted = false;
  /** Decides about an answer; by default it is accepted. */
  decide: (answer: TaskAnswer, id: string) => MessageInitShape<typeof AnswerStatusSchema> | undefined = () => undefined;
  /** Waited for before a poll is answered. */
  beforeReply: () => Promise<void> = async () => {};
  readonly #clock: Clock;
  readonly #faults = new Map<CallName, ConnectError[]>();
  readonly #gates = new Map<CallName, Promise<void>>();
  readonly #ready: DispatchedTask[] = [];
  readonly #cancels = new Map<string, string>();
  readonly #lost = new Set<string>();
  readonly #gone = new Set<string>();
  #notices = 0;
  #leases = 0;
  #onAnswer: (() => void)[] = [];
  #wake = Promise.withResolvers<void>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.transport = createRouterTransport(({ service }) => {
      service(WorkerService, {
        pollTasks: (request, { signal }) => this.#poll(request, signal),
        respondTasks: async (request) => {
          this.responds.push(request);
          await this.#enter("RespondTasks");
          return { statuses: request.answers.map((answer) => this.#answer(answer)) };
        },
        renewLeases: (request, { signal }) => this.#renew(request, signal),
        heartbeatTasks: async ({ heartbeats }) => {
          this.heartbeats.push(heartbeats);
          await this.#enter("HeartbeatTasks");
          return {};
        },
        shutdownWorker: async ({ workerId }) => {
          await this.#enter("ShutdownWorker");
          this.shutdowns.push(workerId);
          this.#gone.add(workerId);
          this.#stir();
          return {};
        },
      });
    });
  }

  /** Deliveries that were handed out and not answered. */
  readonly leased = new Map<string, DispatchedTask>();

  /** Makes a task ready. */
  add(
    id: string,
    type: string,
    more: Omit<MessageInitShape<typeof DispatchedTaskSchema>, "$typeName"> & { args?: unknown[] } = {},
  ) {
    const { args = [], ...fields } = more;
    this.#ready.push(
      create(DispatchedTaskSchema, {
        token: Buffer.from(`${id}/${++this.#leases}`),
        id,
        run: 1,
        type,
        attempt: 1,
        taskQueue: { name: "q", kind: TaskQueueKind.ACTIVITY },
        input: args.map((arg) => encodePayload(arg)),
        lease: durationFromMs(30_000),
        ...fields,
      }),
    );
    this.#stir();
  }

  /** The next calls of this name fail so. */
  failNext(call: CallName, error: ConnectError, times = 1): void {
    this.#faults.set(call, [...(this.#faults.get(call) ?? []), ...Array.from({ length: times }, () => error)]);
  }

  /** No more faults. */
  heal(): void {
    this.#faults.clear();
  }

  /** Calls of this name wait until what is answered here is called. */
  hold(call: CallName): () => void {
    const gate = Promise.withResolvers<void>();
    this.#gates.set(call, gate.promise);
    return () => {
      this.#gates.delete(call);
      gate.resolve();
    };
  }

  /** Somebody asks for a task to be canceled. */
  cancel(id: string, reason = ""): void {
    this.#cancels.set(id, reason);
    this.#notices++;
    this.#stir();
  }

  /** A task's lease is gone. */
  lose(id: string): void {
    this.#lost.add(id);
    this.leased.delete(id);
    this.#notices++;
    this.#stir();
  }

  /** Resolves once these tasks were answered. */
  async answeredAll(...ids: string[]): Promise<void> {
    while (!ids.every((id) => this.answers.has(id))) await new Promise<void>((resolve) => this.#onAnswer.push(resolve));
  }

  /** How the answers of a kind look, as `a b c`. */
  answered(kind: TaskAnswer["answer"]["case"]): string {
    return [...this.answers].flatMap(([id, { answer }]) => (answer.case === kind ? id : [])).join(" ");
  }

  async #poll(request: PollTasksRequest, signal: AbortSignal) {
    this.polls.push(request);
    await this.#enter("PollTasks");
    const answers = this.ignoresAnswersOfPolls ? [] : request.answers;
    const answerStatuses = answers.map((answer) => this.#answer(answer));
    const untilMs =
      this.#clock.now() + (answers.length > 0 ? Math.min(1_000, durationMs(request.wait!)) : durationMs(request.wait!));
    const kinds = request.taskQueues.map(({ kind }) => kind);
    const mine = () => this.#ready.filter(({ taskQueue }) => kinds.includes(taskQueue!.kind));
    while (!this.isAbsentMinded && mine().length === 0 && !this.#isOver(request, signal, untilMs))
      await this.#stirred(signal, untilMs);
    const tasks = this.#gone.has(request.worker!.workerId)
      ? []
      : mine().slice(0, this.isGenerous ? 1_000 : request.maxTasks);
    for (const task of tasks) {
      this.#ready.splice(this.#ready.indexOf(task), 1);
      this.leased.set(task.id, task);
    }
    await this.beforeReply();
    const { drainRequested, registrationsWanted } = this;
    return { tasks, answerStatuses, drainRequested, registrationsWanted };
  }

  #isOver(request: PollTasksRequest, signal: AbortSignal, untilMs: number): boolean {
    return signal.aborted || this.#gone.has(request.worker!.workerId) || this.#clock.now() >= untilMs;
  }

  async #renew(request: RenewLeasesRequest, signal: AbortSignal) {
    const isHeld = request.hold !== undefined;
    (isHeld ? this.listens : this.renews).push(request);
    await this.#enter("RenewLeases");
    const untilMs = this.#clock.now() + (isHeld ? durationMs(request.hold!) : 0);
    while (isHeld && request.noticesSeen === `n${this.#notices}` && !signal.aborted && this.#clock.now() < untilMs) {
      await this.#stirred(signal, untilMs);
    }
    const idOf = (token: Uint8Array) => Buffer.from(token).toString().split("/")[0]!;
    return {
      lostTokens: request.tokens.filter((token) => this.#lost.has(idOf(token))),
      // Of all that the worker has, whether or not the call names it.
      cancelRequests: [...this.#cancels].flatMap(([id, reason]) => {
        const task = this.leased.get(id);
        return task === undefined ? [] : { token: task.token, reason };
      }),
      noticesSeen: `n${this.#notices}`,
      drainRequested: this.drainRequested,
      registrationsWanted: this.registrationsWanted,
    };
  }

  #answer(answer: TaskAnswer): MessageInitShape<typeof AnswerStatusSchema> {
    const id = Buffer.from(answer.token).toString().split("/")[0]!;
    const decided = this.#lost.has(id) ? { result: AnswerResult.LEASE_LOST } : this.decide(answer, id);
    if (decided !== undefined) return decided;
    this.answers.set(id, answer);
    this.leased.delete(id);
    for (const listener of this.#onAnswer.splice(0)) listener();
    return { result: AnswerResult.ACCEPTED };
  }

  async #enter(call: CallName): Promise<void> {
    await this.#gates.get(call);
    const fault = this.#faults.get(call)?.shift();
    if (fault !== undefined) throw fault;
  }

  #stir(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  async #stirred(signal: AbortSignal, untilMs: number): Promise<void> {
    const ended = Promise.withResolvers<void>();
    const timer = this.#clock.setTimeout(() => ended.resolve(), untilMs - this.#clock.now());
    signal.addEventListener("abort", () => ended.resolve(), { once: true });
    await Promise.race([this.#wake.promise, ended.promise]);
    this.#clock.clearTimeout(timer);
  }
}

export { Code };
