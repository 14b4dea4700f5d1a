import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import {
  HealthCheckResponse_ServingStatus as ServingStatus,
  type Health,
  type HealthCheckResponse,
} from "@tq/proto/grpc/health/v1";

/**
 * grpc.health.v1.Health of the server: all its services serve, or, while it drains, none does. The empty name stands
 * for the server as a whole.
 */
export class HealthService implements ServiceImpl<typeof Health> {
  readonly #names: ReadonlySet<string>;
  readonly #watchers = new Set<() => void>();
  #serving = true;

  constructor(serviceNames: readonly string[]) {
    this.#names = new Set(["", ...serviceNames]);
  }

  /** From now on the server says NOT_SERVING. Watchers are told, and their streams end, so that they do not hold up a stop. */
  drain(): void {
    this.#serving = false;
    for (const wake of this.#watchers) wake();
  }

  check({ service }: { readonly service: string }): HealthCheckResponse {
    if (!this.#names.has(service))
      throw new ConnectError(`there is no service ${JSON.stringify(service)}`, Code.NotFound);
    return this.#response(service);
  }

  list(): { statuses: Record<string, HealthCheckResponse> } {
    return { statuses: Object.fromEntries([...this.#names].map((name) => [name, this.#response(name)])) };
  }

  async *watch(
    { service }: { readonly service: string },
    { signal }: Pick<HandlerContext, "signal">,
  ): AsyncGenerator<HealthCheckResponse> {
    const serving = this.#serving;
    yield this.#response(service);
    if (!serving) return;
    await this.#changed(signal);
    if (!signal.aborted) yield this.#response(service);
  }

  #response(service: string): HealthCheckResponse {
    return { $typeName: "grpc.health.v1.HealthCheckResponse", status: this.#status(service) };
  }

  #status(service: string): ServingStatus {
    if (!this.#names.has(service)) return ServingStatus.SERVICE_UNKNOWN;
    return this.#serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  }

  async #changed(signal: AbortSignal): Promise<void> {
    if (!this.#serving || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#watchers.add(resolve);
    signal.addEventListener("abort", () => resolve());
    await promise;
    this.#watchers.delete(resolve);
  }
}
