/*
 * grpc.reflection, so that grpcurl and `buf curl` work without a schema. Both versions of the protocol have the same
 * messages, so one answer serves both. Answers come from the descriptors that the generated code carries.
 */
import { toBinary, type DescFile, type DescMessage, type DescService } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import { ServerReflection, type ServerReflectionRequest } from "@tq/proto/grpc/reflection/v1";
import {
  ServerReflection as ServerReflectionAlpha,
  type ServerReflectionRequest as ServerReflectionRequestAlpha,
} from "@tq/proto/grpc/reflection/v1alpha";

/** What a question is answered with. */
type Answer =
  | { case: "fileDescriptorResponse"; value: { fileDescriptorProto: Uint8Array[] } }
  | { case: "listServicesResponse"; value: { service: { name: string }[] } }
  | { case: "errorResponse"; value: { errorCode: number; errorMessage: string } };

/** Answers questions about a fixed set of services. */
export class Reflection {
  readonly #services: readonly DescService[];
  readonly #files = new Map<string, DescFile>();
  readonly #fileOfSymbol = new Map<string, DescFile>();

  /** Describes these services, and itself. */
  constructor(services: readonly DescService[]) {
    this.#services = [...services, ServerReflection, ServerReflectionAlpha];
    for (const service of this.#services) this.#addFile(service.file);
  }

  /** The first version. */
  get v1(): ServiceImpl<typeof ServerReflection> {
    return { serverReflectionInfo: (requests) => this.#answers(requests) };
  }

  /** The one before it, which older tools ask for. */
  get v1alpha(): ServiceImpl<typeof ServerReflectionAlpha> {
    return { serverReflectionInfo: (requests) => this.#answers(requests) };
  }

  async *#answers<Request extends ServerReflectionRequest | ServerReflectionRequestAlpha>(
    requests: AsyncIterable<Request>,
  ): AsyncGenerator<{ validHost: string; messageResponse: Answer }> {
    for await (const request of requests) {
      yield { validHost: request.host, messageResponse: this.#answer(request.messageRequest) };
    }
  }

  #answer(question: (ServerReflectionRequest | ServerReflectionRequestAlpha)["messageRequest"]): Answer {
    switch (question.case) {
      case "listServices": {
        const service = this.#services.map(({ typeName }) => ({ name: typeName }));
        return { case: "listServicesResponse", value: { service } };
      }
      case "fileByFilename":
        return this.#describe(this.#files.get(question.value), `there is no file ${JSON.stringify(question.value)}`);
      case "fileContainingSymbol":
        return this.#describe(
          this.#fileOfSymbol.get(question.value),
          `there is no symbol ${JSON.stringify(question.value)}`,
        );
      case "fileContainingExtension":
      case "allExtensionNumbersOfType":
        return refusal(Code.NotFound, "there are no extensions here");
      case undefined:
        return refusal(Code.InvalidArgument, "the request asks for nothing");
    }
  }

  #describe(file: DescFile | undefined, orElse: string): Answer {
    if (file === undefined) return refusal(Code.NotFound, orElse);
    const files = new Set<DescFile>();
    const collect = (next: DescFile): void => {
      if (files.has(next)) return;
      files.add(next);
      next.dependencies.forEach(collect);
    };
    collect(file);
    const fileDescriptorProto = [...files].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
    return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
  }

  #addFile(file: DescFile): void {
    if (this.#files.has(file.proto.name)) return;
    this.#files.set(file.proto.name, file);
    for (const message of file.messages) this.#addMessage(message, file);
    for (const { typeName } of file.enums) this.#fileOfSymbol.set(typeName, file);
    for (const service of file.services) {
      this.#fileOfSymbol.set(service.typeName, file);
      for (const method of service.methods) this.#fileOfSymbol.set(`${service.typeName}.${method.name}`, file);
    }
    for (const dependency of file.dependencies) this.#addFile(dependency);
  }

  #addMessage(message: DescMessage, file: DescFile): void {
    this.#fileOfSymbol.set(message.typeName, file);
    for (const field of message.fields) this.#fileOfSymbol.set(`${message.typeName}.${field.name}`, file);
    for (const { typeName } of message.nestedEnums) this.#fileOfSymbol.set(typeName, file);
    for (const nested of message.nestedMessages) this.#addMessage(nested, file);
  }
}

function refusal(errorCode: Code, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
