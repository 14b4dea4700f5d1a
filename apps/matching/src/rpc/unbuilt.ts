import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { CallRefused } from "../errors/call-refused.ts";

/** A call by its full name, as "tq.v1.TaskService/AddTasks". */
export function callName(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`;
}

/** The calls of a service that an implementation leaves out. */
export function unbuiltCalls<Service extends DescService>(
  service: Service,
  built: Partial<ServiceImpl<Service>>,
): string[] {
  return service.methods.filter((method) => !(method.localName in built)).map(callName);
}

/** An implementation of a whole service, of which what is not built answers so. */
export function withUnbuilt<Service extends DescService>(
  service: Service,
  built: Partial<ServiceImpl<Service>>,
): Partial<ServiceImpl<Service>> {
  const unbuilt = service.methods
    .filter((method) => !(method.localName in built))
    .map((method) => [method.localName, () => refuseUnbuilt(method)] as const);
  return { ...built, ...Object.fromEntries(unbuilt) };
}

function refuseUnbuilt(method: DescMethod): never {
  throw new CallRefused("NOT_BUILT", { subject: callName(method) });
}
