// The JSON of a message, as programs want it. Names of fields are those of proto JSON. Unlike proto JSON: payloads are
// the values that they carry, enums are the names that the rest of tq uses (`READY`, not `TASK_STATE_READY`), 64-bit
// numbers are numbers, and fields that have no notion of being unset are always there.

import { type DescField, type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";
import { reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import {
  type Duration,
  DurationSchema,
  FeatureSet_FieldPresence,
  type Timestamp,
  TimestampSchema,
} from "@bufbuild/protobuf/wkt";
import { type Payload, PayloadSchema } from "@tq/proto";
import { type JsonValue, payloadValue } from "./payload-value.ts";

/** The JSON of a message: see the top of the file. */
export function messageJson<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
): { [name: string]: JsonValue } {
  return objectOf(reflect(schema, message));
}

function objectOf(message: ReflectMessage): { [name: string]: JsonValue } {
  const entries = message.fields.flatMap((field): [string, JsonValue][] => {
    const isAlwaysThere = field.fieldKind === "list" || field.fieldKind === "map" || isImplicit(field);
    return isAlwaysThere || message.isSet(field) ? [[field.jsonName, fieldValue(message, field)]] : [];
  });
  return Object.fromEntries(entries);
}

/** Whether its default and its being unset are the same. */
function isImplicit(field: DescField): boolean {
  return field.presence === FeatureSet_FieldPresence.IMPLICIT;
}

function fieldValue(message: ReflectMessage, field: DescField): JsonValue {
  switch (field.fieldKind) {
    case "list":
      return [...message.get(field)].map((value) => valueOf(value, field.enum));
    case "map":
      return Object.fromEntries(
        [...message.get(field)].map(([key, value]) => [String(key), valueOf(value, field.enum)]),
      );
    case "enum":
      return valueOf(message.get(field), field.enum);
    case "message":
    case "scalar":
      return valueOf(message.get(field), undefined);
  }
}

function valueOf(value: unknown, ofEnum: DescField["enum"]): JsonValue {
  if (ofEnum !== undefined) {
    const number = Number(value);
    return ofEnum.value[number]?.localName ?? number;
  }
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  return nested(value as ReflectMessage);
}

function nested(value: ReflectMessage): JsonValue {
  switch (value.desc.typeName) {
    case PayloadSchema.typeName:
      return payloadValue(value.message as Payload);
    case TimestampSchema.typeName:
      return toJson(TimestampSchema, value.message as Timestamp);
    case DurationSchema.typeName:
      return toJson(DurationSchema, value.message as Duration);
    default:
      return objectOf(value);
  }
}
