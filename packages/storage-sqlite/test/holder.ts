/*
 * A process of its own that opens a store, says "open" or the error's code, and keeps it open until it is killed. It runs
 * what was built: Node does not follow the sources' imports.
 */
import { SqliteStore } from "@tq/storage-sqlite";

const [path = ""] = process.argv.slice(2);
const store = new SqliteStore({ path, random: () => 0 });
try {
  const { lease, now } = await store.open(0);
  await store.commit({
    lease,
    now,
    operations: [
      {
        verb: "create-namespace",
        name: "held",
        description: "",
        action: { actor: "", reason: "", call: "CreateNamespace", request: "{}" },
      },
    ],
    plan: () => ({ offers: [], claims: [] }),
  });
  console.log("open");
  // Names the store: one that nothing can reach any more is collected, and its lock with it.
  setInterval(() => store.description, 60_000);
} catch (error) {
  console.log(error instanceof Error && "code" in error ? error.code : error);
}
