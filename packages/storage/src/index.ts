export * from "./operations.ts";
export * from "./records.ts";
export * from "./store.ts";
