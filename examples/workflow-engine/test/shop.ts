import { Context } from "@tq/worker-sdk";
import type { HistoryRecord } from "../src/history.ts";
import { type Order, order, type Receipt } from "../src/order.ts";
import { all, type Steps, type Workflow } from "../src/workflow.ts";

/** The workflows of the specs. */
export const workflows = {
  order,
  *greet(wf: Workflow, name: string): Steps<string> {
    yield* all();
    return `Hello ${name}, says ${wf.id}`;
  },
};

/** What an activity of the shop does with an attempt; undefined: it goes on until it is canceled. */
function shop(
  type: string,
  args: readonly unknown[],
  attempt: number,
): { result: unknown } | { failure: string } | undefined {
  switch (type) {
    case "charge":
      return attempt < 3 ? { failure: "Error" } : { result: `paid ${String(args[1])} for ${String(args[0])}` };
    case "pack":
      return { result: `parcel of ${(args[0] as string[]).join("+")}` };
    case "askCourier":
      return args[0] === "quick" ? { result: "quick" } : undefined;
    default:
      return { failure: "RangeError" };
  }
}

/** The shop as activities. Notes the tasks that were done, not those that were tried. */
export function shopActivities(done: string[]): Record<string, (...args: unknown[]) => Promise<unknown>> {
  const run =
    (type: string) =>
    async (...args: unknown[]) => {
      const { attempt, taskId } = Context.current().info;
      const outcome = shop(type, args, attempt);
      if (outcome === undefined) return Context.current().sleep("1h");
      if ("result" in outcome) {
        done.push(taskId);
        return outcome.result;
      }
      throw Object.assign(new Error("not today"), { name: outcome.failure });
    };
  return Object.fromEntries(["charge", "pack", "askCourier", "insure"].map((name) => [name, run(name)]));
}

/** An order, and what has to come of it: the even ones are approved, the odd ones time out. */
export function sampleOrder(number: number): {
  readonly id: string;
  readonly isApproved: boolean;
  readonly order: Order;
  readonly receipt: Receipt;
} {
  const id = `order-${number}`;
  const isApproved = number % 2 === 0;
  const items = ["tea", `cup ${number}`];
  return {
    id,
    isApproved,
    order: { cents: 100 + number, items, approveWithinMs: isApproved ? 3_600_000 : 50, couriers: ["slow", "quick"] },
    receipt: {
      payment: `paid ${100 + number} for ${id}`,
      parcel: `parcel of tea+cup ${number}`,
      approvedBy: isApproved ? "alice" : "nobody",
      courier: "quick",
      insurance: "none (RangeError: not today)",
    },
  };
}

/** How each workflow of a log ended. A second end of one would be a second entry. */
export function endsOf(records: readonly unknown[]): { workflow: string; result: unknown }[] {
  return (records as HistoryRecord[]).flatMap(({ workflow, decision: { end } }) =>
    end === undefined ? [] : [{ workflow, result: end.kind === "returned" ? end.result : end.failure }],
  );
}
