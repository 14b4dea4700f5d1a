export { syncedAtOnce, type SyncCalls } from "./log-sync.ts";
export { SqliteStore, type SqliteStoreOptions } from "./sqlite-store.ts";
