import type { DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, createRouterTransport, type Client } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema } from "@tq/proto/google/rpc";
import type { Incident } from "../src/errors/boundary.ts";
import { createRoutes, type RoutesOptions } from "../src/rpc/routes.ts";
import { FakeMatching } from "./fake-matching.ts";

/** A client of the server's routes without a port, and the fake engine behind them. */
export function inMemory<Service extends DescService>(
  service: Service,
  options: Partial<RoutesOptions> = {},
): { client: Client<Service>; matching: FakeMatching; incidents: Incident[] } {
  const matching = new FakeMatching();
  const incidents: Incident[] = [];
  const routes = createRoutes(matching, {
    version: "1.2.3",
    random: () => 0,
    report: (incident) => incidents.push(incident),
    ...options,
  });
  return { client: createClient(service, createRouterTransport(routes)), matching, incidents };
}

/** What a refused call says: its code, its reason, and the paths of the fields that are wrong. */
export async function refusalOf(
  call: Promise<unknown>,
): Promise<{ code: string; reason: string | undefined; fields: string[] }> {
  try {
    await call;
  } catch (reason) {
    const error = ConnectError.from(reason);
    return {
      code: Code[error.code],
      reason: error.findDetails(ErrorInfoSchema)[0]?.reason,
      fields: error.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations.map(({ field }) => field)),
    };
  }
  throw new Error("the call was not refused");
}
