import { all, first, type Steps, type Workflow } from "./workflow.ts";

/** What the sample workflow asks of its workers, on the queue `shop`. */
export interface ShopActivities {
  /** May fail; tq tries it again. */
  charge(order: string, cents: number): Promise<string>;
  pack(items: readonly string[]): Promise<string>;
  /** Resolves when the courier has agreed, which may take forever. */
  askCourier(courier: string, parcel: string): Promise<string>;
  /** Fails for good. */
  insure(parcel: string): Promise<string>;
}

/** What is ordered, and how long to wait for somebody to approve of it. */
export interface Order {
  readonly cents: number;
  readonly items: readonly string[];
  readonly approveWithinMs: number;
  readonly couriers: readonly string[];
}

/** What came of an order. */
export interface Receipt {
  readonly payment: string;
  readonly parcel: string;
  readonly approvedBy: string;
  readonly courier: string;
  readonly insurance: string;
}

/** A sample that uses all that there is: activities in parallel, a retry, a signal, a timer, a cancel and a failure. */
export function* order(wf: Workflow, { cents, items, approveWithinMs, couriers }: Order): Steps<Receipt> {
  const shop = wf.activities<ShopActivities>({
    taskQueue: "shop",
    retry: { maximumAttempts: 10, initialInterval: "100ms", nonRetryableFailureTypes: ["RangeError"] },
  });

  // Two activities at once. If charging fails, tq tries it again: the workflow only hears how it ended.
  const [payment, parcel] = yield* all(shop.start("charge", wf.id, cents), shop.start("pack", items));

  // A signal or a timer, whichever comes first.
  const approval = wf.signal<string>("approved");
  const timeout = wf.timer(approveWithinMs);
  const isApproved = (yield* first(approval, timeout)) === approval;
  wf.cancel(isApproved ? timeout : approval);
  const approvedBy = isApproved ? yield* approval : "nobody";

  // Everybody is asked; the first one to agree gets it, and the others are told to forget it.
  const asked = couriers.map((name) => shop.start("askCourier", name, parcel));
  const courier = yield* yield* first(...asked);
  for (const other of asked) if (!other.isSettled) wf.cancel(other, `${courier} was first`);

  // What fails for good is thrown.
  let insurance: string;
  try {
    insurance = yield* shop.start("insure", parcel);
  } catch (error) {
    insurance = `none (${error instanceof Error ? error.message : ""})`;
  }
  return { payment, parcel, approvedBy, courier, insurance };
}
