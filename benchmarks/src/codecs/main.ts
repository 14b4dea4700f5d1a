/*
 * What payload codecs take: pnpm bench:codecs. JSON of each size goes through each codec and back, a hundred payloads at a time
 * as a busy client has them under way; processor time is that of all threads.
 */
import { createHash } from "node:crypto";
import { CompressionCodec, encodePayload, EncryptionCodec, type PayloadCodec } from "@tq/client";
import { commandLine, numberOf } from "../command-line.ts";

const usage = `usage: pnpm bench:codecs [OPTION...]
What payload codecs take, out and back in.

  --sizes A,B,...  bytes of a payload (default 256,4096,65536,1048576)
  --ms N           how long each is measured (default 300)`;

const { sizes, measureMs } = commandLine(
  usage,
  { sizes: { type: "string", default: "256,4096,65536,1048576" }, ms: { type: "string", default: "300" } },
  (values) => ({
    sizes: values.sizes.split(",").map((text) => numberOf("--sizes", text, { least: 1, isWhole: true })),
    measureMs: numberOf("--ms", values.ms, { least: 1 }),
  }),
);

const encryption = new EncryptionCodec({ keyId: "k", keys: { k: new Uint8Array(32).fill(7) } });
const chains: Readonly<Record<string, readonly PayloadCodec[]>> = {
  zstd: [new CompressionCodec({ algorithm: "zstd" })],
  gzip: [new CompressionCodec({ algorithm: "gzip" })],
  brotli: [new CompressionCodec({ algorithm: "brotli" })],
  encryption: [encryption],
  "zstd, encryption": [new CompressionCodec({ algorithm: "zstd" }), encryption],
};
/** Payloads that are under way together; of large ones fewer. */
const together = (bytes: number) => Math.max(4, Math.min(100, Math.floor((8 * 1024 * 1024) / bytes)));

/** Records as programs have them: names that repeat, ids and amounts that do not. */
function records(bytes: number): object[] {
  const list: object[] = [];
  for (let n = 0, written = 2; written < bytes; n++) {
    const id = createHash("sha256").update(String(n)).digest("hex").slice(0, 12);
    const record = {
      id,
      name: `order ${n % 13}`,
      at: 1_790_000_000_000 + n * 977,
      amount: ((n * 7919) % 10_007) / 100,
    };
    list.push(record);
    written += JSON.stringify(record).length + 1;
  }
  return list;
}

console.log("   bytes codecs              a second    MiB/s   µs of CPU    size");
for (const bytes of sizes) {
  const payload = encodePayload(records(bytes));
  const lengthOf = ({ body }: typeof payload) => body.value?.length ?? 0;
  for (const [name, codecs] of Object.entries(chains)) {
    const outAndIn = async () => {
      let coded = [payload];
      for (const codec of codecs) coded = await codec.encode(coded);
      let plain = coded;
      for (const codec of codecs.toReversed()) plain = await codec.decode(plain);
      if (plain.length !== 1) throw new Error(`${plain.length} payloads came back for one`);
      return coded;
    };
    const [coded = payload] = await outAndIn();
    const cpu = process.cpuUsage();
    const beganAtMs = performance.now();
    let done = 0;
    for (; performance.now() - beganAtMs < measureMs; done += together(bytes)) {
      await Promise.all(Array.from({ length: together(bytes) }, outAndIn));
    }
    const seconds = (performance.now() - beganAtMs) / 1_000;
    const { user, system } = process.cpuUsage(cpu);
    const figures = [
      String(bytes).padStart(8),
      name.padEnd(16),
      (done / seconds).toFixed(0).padStart(11),
      ((done * lengthOf(payload)) / seconds / 2 ** 20).toFixed(0).padStart(8),
      ((user + system) / done).toFixed(0).padStart(11),
      `${((100 * lengthOf(coded)) / lengthOf(payload)).toFixed(0)} %`.padStart(7),
    ];
    console.log(figures.join(" "));
  }
}
