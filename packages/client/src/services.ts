import { type Client as ServiceClient, createClient, type Transport } from "@connectrpc/connect";
import { OperatorService, TaskService, WorkerService } from "@tq/proto";

/**
 * The generated clients of the contract's services: every call, as it is. They are not retried and know nothing of
 * namespaces or request ids; but what they throw is a `TqError`, and a unary call has the client's deadline unless it
 * names its own.
 */
export interface Services {
  readonly tasks: ServiceClient<typeof TaskService>;
  readonly workers: ServiceClient<typeof WorkerService>;
  readonly operator: ServiceClient<typeof OperatorService>;
}

/** The services over one transport. */
export function createServices(transport: Transport): Services {
  return Object.freeze({
    tasks: createClient(TaskService, transport),
    workers: createClient(WorkerService, transport),
    operator: createClient(OperatorService, transport),
  });
}
