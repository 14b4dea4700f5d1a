import { withServer } from "../bench-server.ts";
import { type GrowthScenario, measureEach } from "../scenario.ts";

const sizes = [0, 256, 1_024, 16_384, 65_536, 262_144, 1_048_576];
/** Bytes in a call at most, half of what the server takes. */
const maxCallBytes = 16 * 2 ** 20;
/** Bytes in all at most, so that large ones take seconds. */
const maxBytes = 256 * 2 ** 20;

/** Payloads from none to a mebibyte. */
export const payloadSizes: GrowthScenario = {
  name: "payload-sizes",
  title: "Payloads from none to 1 MiB",
  xTitle: "bytes of a payload",
  series: [
    { key: "add", title: "adding", unit: "tasks/s" },
    { key: "drain", title: "draining", unit: "tasks/s" },
    { key: "drainMiB", title: "draining", unit: "MiB/s" },
    { key: "memoryMiB", title: "server memory", unit: "MiB" },
  ],
  measure(options) {
    return measureEach(sizes, options, (bytes) =>
      withServer(options, async (server) => {
        const queue = "payloads";
        await server.configure(queue);
        const tasks = Math.max(20, Math.round(Math.min(20_000, maxBytes / Math.max(bytes, 1)) * options.scale));
        const args = bytes === 0 ? [] : ["x".repeat(bytes - 2)];
        const batch = Math.max(1, Math.min(100, Math.floor(maxCallBytes / 10 / Math.max(bytes, 1))));
        const add = await server.add(queue, tasks, () => ({ args }), { batch });
        const { perSecond: drain } = await server.drain(queue, tasks);
        return { add, drain, drainMiB: (drain * bytes) / 2 ** 20, memoryMiB: server.residentMiB() };
      }),
    );
  },
  shortfalls: () => [],
};
