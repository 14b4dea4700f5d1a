import { createContextKey } from "@connectrpc/connect";
import type { Delivery } from "../matching/matching.ts";

/** A transport that never loses an answer unnoticed, such as the one in memory. */
const certain: Delivery = { onUndelivered: () => undefined };

/** What becomes of a call's answer: set on each request by the transport that will carry it. */
export const deliveryKey = createContextKey<Delivery>(certain, { description: "delivery of the answer" });
