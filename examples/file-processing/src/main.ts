// node dist/main.js <address> <folder> <name>: a host, until SIGTERM or SIGINT.

import { createHost } from "./host.ts";

const [, , address = "127.0.0.1:7333", folder = "downloads", name = `host ${process.pid}`] = process.argv;
const host = await createHost({ address, folder, name });
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => host.shutdown());
await host.run();
