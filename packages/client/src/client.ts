import { ActivityClient, type ActivityOptions } from "./activity.ts";
import { type ClientConfig, type ClientOptions, compileClientConfig } from "./client-config.ts";
import { createServices, type Services } from "./services.ts";
import { TaskClient } from "./task-client.ts";
import { defaultAddress, type OpenTransport, openTransport, withErrorsAndDeadlines } from "./transport.ts";

/**
 * A client of a tq server, for producers, workflow engines and operators. It opens connections as it needs them, and may
 * be used by any number of callers at once: make one for each process.
 */
export class Client {
  /** The options, complete. */
  readonly config: ClientConfig;
  /** Adding, reading and canceling tasks. */
  readonly tasks: TaskClient;
  /** Every call of the contract, as it is. See {@link Services}. */
  readonly services: Services;
  readonly #open: OpenTransport;

  private constructor(config: ClientConfig) {
    this.#open =
      config.transport === undefined
        ? openTransport(config.address ?? defaultAddress, config.httpVersion)
        : { transport: config.transport, close: () => {} };
    const transport = withErrorsAndDeadlines(this.#open.transport, config.address, config.callTimeoutMs);
    this.config = config;
    this.services = createServices(transport);
    this.tasks = new TaskClient(config, this.services);
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

  /** Typed access to activities, as in `client.activity<typeof activities>({ taskQueue: "files" }).execute("hash", path)`. */
  activity<A extends object>(options: ActivityOptions): ActivityClient<A> {
    return new ActivityClient<A>(this.tasks, options);
  }

  /**
   * Waits for what is being added, ends all waiting for results (`canceled`), and closes the connections. A transport that
   * was passed in stays open.
   */
  async close(): Promise<void> {
    await this.tasks.close();
    this.#open.close();
  }
}
