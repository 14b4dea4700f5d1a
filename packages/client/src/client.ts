import { ActivityClient, type ActivityOptions } from "./activity.ts";
import { AsyncCompletionClient } from "./async-completion.ts";
import { type ClientConfig, type ClientOptions, compileClientConfig } from "./client-config.ts";
import { ClientMetrics } from "./client-metrics.ts";
import { ConnectionLog } from "./connection-log.ts";
import type { RetryContext } from "./retry.ts";
import { createServices, type Services } from "./services.ts";
import { TaskCalls } from "./task-calls.ts";
import { TaskClient } from "./task-client.ts";
import { defaultAddress, type OpenTransport, openTransport, withErrorsAndDeadlines } from "./transport.ts";
import { WorkflowClient, type WorkflowOptions } from "./workflow.ts";

/**
 * A client of a tq server, for producers, workflow engines and operators. It opens connections as it needs them, and may
 * be used by any number of callers at once: make one for each process.
 */
export class Client {
  /** The options, complete. */
  readonly config: ClientConfig;
  /** Adding, reading and canceling tasks. */
  readonly tasks: TaskClient;
  /** Answering activities by their tokens, for handlers that left that to somebody else. */
  readonly asyncCompletion: AsyncCompletionClient;
  /** Every call of the contract, as it is. See {@link Services}. */
  readonly services: Services;
  readonly #open: OpenTransport;
  readonly #metrics: ClientMetrics;
  readonly #calls: TaskCalls;

  private constructor(config: ClientConfig) {
    const { address, clock, logger, namespace } = config;
    this.#open =
      config.transport === undefined
        ? openTransport(address ?? defaultAddress, config.httpVersion)
        : { transport: config.transport, takesTasksAhead: false, close: async () => undefined };
    this.#metrics = new ClientMetrics(config.meter, namespace, () => this.#calls.waitingAdds);
    const connectionLog = new ConnectionLog({ clock, logger, address });
    const transport = withErrorsAndDeadlines(this.#open.transport, {
      address,
      callTimeoutMs: config.callTimeoutMs,
      clock,
      onCall: ({ method, durationMs, error }) => {
        this.#metrics.called(method, durationMs, error);
        if (error === undefined) connectionLog.answered(method);
      },
    });
    this.config = config;
    this.services = createServices(transport);
    const retry: RetryContext = {
      clock,
      random: config.random,
      retry: config.retry,
      onRetry: (call, error) => {
        this.#metrics.retried(error);
        connectionLog.retried(call, error);
      },
    };
    const { takesTasksAhead } = this.#open;
    this.#calls = new TaskCalls({ config, services: this.services, metrics: this.#metrics, retry, takesTasksAhead });
    this.asyncCompletion = new AsyncCompletionClient({ config, services: this.services, retry });
    this.tasks = new TaskClient(config, this.#calls);
  }

  /** A client that connects when it is first used. @throws TqError `invalid_argument` naming an option that is wrong. */
  static create(options: ClientOptions = {}): Client {
    return new Client(compileClientConfig(options));
  }

  /**
   * A client whose server has answered.
   *
   * @throws TqError `unavailable`, naming the address, if there is no server. Whether there is such a namespace is told
   * by the first call that names it.
   */
  static async connect(options: ClientOptions = {}): Promise<Client> {
    const client = Client.create(options);
    try {
      await client.services.operator.getServerInfo({});
      return client;
    } catch (error) {
      await client.close();
      throw error;
    }
  }

  /**
   * Typed access to activities, as in `client.activity<typeof activities>({ taskQueue: "files" }).execute("hash", path)`. Given
   * the activities themselves, `client.activity({ taskQueue: "files", activities })`, it needs no type, and their definitions'
   * defaults hold.
   */
  activity<A extends object>(options: ActivityOptions<A>): ActivityClient<A> {
    return new ActivityClient<A>(this.tasks, options);
  }

  /** Typed adding of workflow tasks, as in `client.workflow<typeof workflows>({ taskQueue: "engine" }).signal(id, "advance")`. */
  workflow<W extends object>(options: WorkflowOptions): WorkflowClient<W> {
    return new WorkflowClient<W>(this.tasks, options);
  }

  /**
   * Takes no more adds, waits for those that are under way, for at most `closeTimeout`, ends all waiting for results
   * (`canceled`), and closes the connections. A transport that was passed in stays open.
   */
  async close(): Promise<void> {
    await this.#calls.close(this.config.closeTimeoutMs);
    this.#metrics.stop();
    await this.#open.close();
  }
}
