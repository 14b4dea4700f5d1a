import type { ConnectRouter, ConnectRouterOptions } from "@connectrpc/connect";
import { compressionGzip } from "@connectrpc/connect-node";
import { OperatorService, TaskService, WorkerService } from "@tq/proto";
import { Health } from "@tq/proto/grpc/health/v1";
import { ServerReflection } from "@tq/proto/grpc/reflection/v1";
import { ServerReflection as ServerReflectionAlpha } from "@tq/proto/grpc/reflection/v1alpha";
import { clarifyUnreadable, errorBoundary, type ReportIncident } from "../errors/boundary.ts";
import type { Matching } from "../matching/matching.ts";
import { bounds } from "../validation/bounds.ts";
import { HealthService } from "./health.ts";
import { hotCalls, type HotCalls } from "./hot-calls.ts";
import { Namespaces } from "./namespaces.ts";
import { operatorService } from "./operator-service.ts";
import { Reflection } from "./reflection.ts";
import type { ServicesContext } from "./services-context.ts";
import { taskService } from "./task-service.ts";
import { workerService } from "./worker-service.ts";

/** The services of the contract. */
const contract = [TaskService, WorkerService, OperatorService] as const;

/** 3.5 MiB: below the 4 MiB that gRPC clients take in unless told otherwise. */
export const defaultMaxReplyBytes = 3.5 * 1024 * 1024;

/** Room for what of a request is not its tasks. */
const requestSlackBytes = 64 * 1024;

/** What {@link createRoutes} needs beside the engine. */
export interface RoutesOptions {
  /** Version of the server, for GetServerInfo. */
  readonly version: string;
  /** Takes what went wrong inside the server; it belongs in the log. */
  readonly report: ReportIncident;
  /** What GetTasks and ListTasks stay under, in bytes. Default 3.5 MiB. (Polls: the engine's own.) */
  readonly maxReplyBytes?: number;
  /** A number in [0, 1) with each call. Default Math.random; specs give their own. */
  readonly random?: () => number;
  /** Health of the server. Default: one of its own, which serves for ever. */
  readonly health?: HealthService;
}

/** Health of the services of the contract; {@link HealthService.drain} it as the server begins to stop. */
export function createHealth(): HealthService {
  return new HealthService(contract.map((service) => service.typeName));
}

/** Everything that the server answers, for a Connect router of any transport. */
export function createRoutes(matching: Matching, options: RoutesOptions): (router: ConnectRouter) => void {
  const services = { ...createServices(matching, options), version: options.version };
  const health = options.health ?? createHealth();
  const reflection = new Reflection([...contract, Health]);
  const protocol = protocolOptions(options.report);
  return (router) => {
    router.service(TaskService, taskService(services), protocol);
    router.service(WorkerService, workerService(services), protocol);
    router.service(OperatorService, operatorService(services), protocol);
    router.service(Health, health, protocol);
    router.service(ServerReflection, reflection.v1, protocol);
    router.service(ServerReflectionAlpha, reflection.v1alpha, protocol);
  };
}

/** The calls of {@link createRoutes} that can be answered without Connect, for a server of HTTP. */
export function createHotCalls(matching: Matching, options: RoutesOptions): HotCalls {
  return hotCalls(createServices(matching, options), options.report);
}

function createServices(matching: Matching, options: RoutesOptions): ServicesContext {
  return {
    matching,
    namespaces: new Namespaces(matching.reader),
    maxReplyBytes: options.maxReplyBytes ?? defaultMaxReplyBytes,
    random: options.random ?? Math.random,
  };
}

function protocolOptions(report: ReportIncident): Partial<ConnectRouterOptions> {
  const readMaxBytes = bounds.requestBytes + requestSlackBytes;
  return {
    interceptors: [errorBoundary(report)],
    requestGate: clarifyUnreadable(bounds.requestBytes),
    readMaxBytes,
    // Requests may come compressed; replies never are. Clients ask for it by default, and it would cost the server more
    // time than everything else it does for a task.
    acceptCompression: [compressionGzip],
    compressMinBytes: Number.MAX_SAFE_INTEGER,
    // A misspelled field would otherwise be left out without a word.
    jsonOptions: { ignoreUnknownFields: false, alwaysEmitImplicit: false },
    // Long polls end by themselves a second before this; it bounds what a caller may ask for, not how long a call takes.
    maxTimeoutMs: Number.MAX_SAFE_INTEGER,
  };
}
