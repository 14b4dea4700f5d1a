export { syncedAtOnce, type LogCalls } from "./journal/log-sync.ts";
export { SqliteStore, type SqliteStoreOptions } from "./sqlite-store.ts";
