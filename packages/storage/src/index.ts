export * from "./configuration.ts";
export * from "./operations.ts";
export * from "./operator-operations.ts";
export * from "./records.ts";
export * from "./store.ts";
