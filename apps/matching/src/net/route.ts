import { createConnectRouter, type ConnectRouter } from "@connectrpc/connect";
import type { HotCall, HotCalls } from "../rpc/hot-calls.ts";

/** What answers calls through Connect. */
export type Handler = ReturnType<typeof createConnectRouter>["handlers"][number];

/** Where the calls of a method go. */
export interface Route {
  readonly handler: Handler;
  /** Answers without Connect what is plain enough. */
  readonly hotCall: HotCall | undefined;
}

/** All routes, by their path, such as "/tq.v1.TaskService/AddTasks". */
export type Routes = ReadonlyMap<string, Route>;

/** The routes of a router, and the hot calls of these. */
export function routesByPath(routes: (router: ConnectRouter) => void, hotCalls: HotCalls): Routes {
  const router = createConnectRouter();
  routes(router);
  return new Map(
    router.handlers.map((handler) => [handler.requestPath, { handler, hotCall: hotCalls.get(handler.requestPath) }]),
  );
}
