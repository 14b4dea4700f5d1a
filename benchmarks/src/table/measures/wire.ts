import { countingProxy } from "../../machine/counting-proxy.ts";
import { stampedPayload } from "../adapter.ts";
import type { Readings } from "../columns.ts";
import type { Run } from "../run.ts";
import { Tally } from "../tally.ts";
import type { Scenario } from "../scenarios.ts";

/** See {@link Scenario}. What opening the connections and the queue takes does not count; what waiting takes does. */
export async function wire({ module, target }: Run, scenario: Extract<Scenario, { kind: "wire" }>): Promise<Readings> {
  const proxy = await countingProxy(target.host, target.port);
  const adapter = await module.connect({ ...target, port: proxy.port, queue: `${target.queue}-wire` });
  try {
    const tally = new Tally();
    const before = proxy.bytes();
    for (let added = 0; added < scenario.tasks; added += scenario.batch) {
      await adapter.addBatch(Array.from({ length: scenario.batch }, stampedPayload));
    }
    const handled = tally.until(scenario.tasks, scenario.limitMs);
    await adapter.work(tally.handler);
    await handled;
    return tally.handled < scenario.tasks ? {} : { wireBytes: (proxy.bytes() - before) / scenario.tasks };
  } finally {
    await adapter.close();
    await proxy.close();
  }
}
