import {
  fromBinary,
  fromJson,
  isMessage,
  type JsonValue,
  type Message,
  type Registry,
  toBinary,
} from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { type Payload, PayloadSchema } from "@tq/proto";
import { type PartialPayloadConverter, unconvertible } from "./payload-converter.ts";

/** Media type of a message in protobuf's binary form. */
const binaryType = "application/x-protobuf";
/** Media type of a message in protobuf's JSON form, which others may send. */
const jsonType = "application/protobuf+json";
/** Where the name of the message's type stands in a payload's metadata. */
const nameKey = "message-type";

/**
 * Messages of `@bufbuild/protobuf` travel in their binary form: content type `application/x-protobuf`, with the full name of
 * the message's type in the metadata `message-type`. Both ends need the types that they share in their registries. The JSON
 * form of others (`application/protobuf+json`) is read too.
 *
 * ```ts
 * const converter = new CompositePayloadConverter(
 *   new ProtobufPayloadConverter(createRegistry(OrderSchema, InvoiceSchema)), ...defaultPayloadConverters);
 * ```
 */
export class ProtobufPayloadConverter implements PartialPayloadConverter {
  readonly #registry: Registry;

  /** @param registry the types of the messages that may travel, made with `createRegistry` */
  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** @throws TqError `invalid_argument` for a message whose type is not in the registry: the other end could not read it. */
  toPayload(value: unknown): Payload | undefined {
    if (!isMessage(value)) return undefined;
    const payload = create(PayloadSchema);
    payload.contentType = binaryType;
    payload.metadata[nameKey] = value.$typeName;
    payload.body = { case: "bytes", value: toBinary(this.#schemaOf(value.$typeName), value) };
    return payload;
  }

  accepts({ contentType, body }: Payload): boolean {
    return body.case !== undefined && (contentType === binaryType || contentType === jsonType);
  }

  fromPayload({ contentType, body, metadata }: Payload): Message {
    const schema = this.#schemaOf(metadata[nameKey] ?? "");
    try {
      if (contentType === jsonType) {
        const text = body.case === "text" ? body.value : new TextDecoder().decode(body.value);
        return fromJson(schema, JSON.parse(text) as JsonValue, { registry: this.#registry });
      }
      if (body.case === "bytes") return fromBinary(schema, body.value);
    } catch (cause) {
      throw unconvertible(`a payload says that it is a ${schema.typeName} and is not`, cause);
    }
    throw unconvertible(`a payload says that it is a ${schema.typeName} in its binary form, and has no bytes`);
  }

  #schemaOf(typeName: string) {
    const schema = this.#registry.getMessage(typeName);
    if (schema === undefined) {
      const which =
        typeName === "" ? `a protobuf payload has no ${nameKey} in its metadata` : `no message type ${typeName}`;
      throw unconvertible(`${which}: give its schema to the registry of the protobuf converter`);
    }
    return schema;
  }
}
