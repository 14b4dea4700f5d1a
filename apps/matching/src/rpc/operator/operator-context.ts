import type { OperatorOperation } from "../../matching/matching.ts";
import type { DrainWorkerResult, ResultOf } from "@tq/storage";
import { refusedByStore } from "../../errors/store-refusal.ts";
import { actionRequestId } from "../../translation/action.ts";
import type { ServicesContext } from "../services-context.ts";

/** What the operator's calls know beside what all do. */
export interface OperatorContext extends ServicesContext {
  readonly version: string;
}

type OperatorResult = ResultOf<OperatorOperation> | DrainWorkerResult;

/** The result of an operator's operation; throws if the store refused it. */
export function orThrow<Result extends OperatorResult>(result: Result): Exclude<Result, { readonly refused: unknown }> {
  if ("refused" in result) throw refusedByStore(result.refused, "", actionRequestId);
  return result as Exclude<Result, { readonly refused: unknown }>;
}
