#!/usr/bin/env -S node --max-semi-space-size=32
// Of V8's young generation, each half: with 16 MiB a busy server takes 14 MiB less and gets through up to a tenth less, with
// 64 it takes 36 MiB more for nothing, and with what Node sets by itself 120 for nothing.
// Old syntax only, so that an old Node gets as far as the message.
const major = Number(process.versions.node.split(".")[0]);
if (major < 22) {
  console.error(
    "tq needs Node 22 or newer; this is v" +
      process.versions.node +
      ". Run it through `npx pnpm@12 start` (or `npx pnpm@12 tq ...`), which brings one.",
  );
  process.exitCode = 1;
} else {
  import("../dist/main.js").catch(function (error) {
    if (error && error.code === "ERR_MODULE_NOT_FOUND" && String(error.message).includes("dist/main.js")) {
      console.error("tq is not built yet. Run `npx pnpm@12 build`, or `npx pnpm@12 tq ...`, which builds first.");
    } else {
      console.error(error);
    }
    process.exitCode = 1;
  });
}
