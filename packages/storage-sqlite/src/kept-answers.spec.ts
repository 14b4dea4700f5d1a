import { join } from "node:path";
import { Driver, newTask } from "@tq/storage/exercise";
import Database from "better-sqlite3";
import { expect, it } from "vitest";
import { SqliteStore } from "./sqlite-store.ts";
import { settle } from "./testing/settle.ts";
import { removeFolder, temporaryFolder } from "../test/temporary.ts";

it("keeps the answers to a hundred plain tasks in no more room than that to one", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "tq.db");
  const d = await Driver.open({
    home: async () => ({
      store: () => new SqliteStore({ path, random: () => 0 }),
      crash: async () => {},
      takeOver: async () => {},
      dispose: async () => removeFolder(folder),
    }),
  });
  try {
    for (const count of [1, 100]) {
      const tasks = Array.from({ length: count }, (_, index) => newTask({ id: `${count}-${index}` }));
      await d.run({ verb: "add", tasks, request: { namespace: "default", id: `add-${count}` } });
      const claimed = await d.claim({ slots: count });
      const answers = claimed.map(({ lease }) => ({ lease, kind: "completed" as const, commands: [] }));
      expect(await d.answers(answers, `answer-${count}`)).toHaveLength(count);
    }
    settle(d.store);
    const db = new Database(path, { readonly: true });
    const lengths = db.prepare<[], number>("select length(answer) from request order by id").pluck().all();
    db.close();
    expect(lengths).toEqual([2, 2, 2, 2]);
  } finally {
    await d.dispose();
  }
});
