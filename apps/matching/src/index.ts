export type { Cancel, Clock } from "./clock.ts";
export { createServer, syncedAtOnce, type Server, type ServerOptions } from "./composition.ts";
export { lineLogger, type LogFields, type Logger } from "./log.ts";
export type { CallerSignal, Delivery } from "./matching/matching.ts";
export { deliveryKey } from "./rpc/delivery.ts";
export type { HotCall, HotCalls } from "./rpc/hot-calls.ts";
export type { CallOrigin } from "./rpc/services-context.ts";
export { ListenError, type ListenErrorCode } from "./net/listen-error.ts";
export { StoreError } from "@tq/storage";
