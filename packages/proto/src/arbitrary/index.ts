/*
 * Messages at random, for tests: any message of a schema, made from its description. Fields are mostly unset, as they are
 * in life, and values lean to those at the edges of their encodings.
 */
import {
  create,
  type DescField,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
  ScalarType,
} from "@bufbuild/protobuf";
import fc from "fast-check";

/** Messages are nested so deep at most: some hold others of their own kind. */
const deepest = 4;

const text = fc.oneof(
  { weight: 3, arbitrary: fc.string({ maxLength: 12 }) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 8 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "",
      "q",
      "ä".repeat(60),
      "x".repeat(47),
      "y".repeat(130),
      "z".repeat(20_000),
      "\u0000",
      "\ufffd",
      "\ufeffa",
    ),
  },
);
const bytes = fc.uint8Array({ maxLength: 40 });
const uint32 = fc.oneof(fc.constantFrom(0, 1, 5, 127, 128, 16_383, 16_384, 0xffff_ffff), fc.nat({ max: 0xffff_ffff }));
const int32 = fc.oneof(fc.constantFrom(0, 1, -1, 999_999_999, 0x7fff_ffff, -0x8000_0000), fc.integer());
const uint64 = fc.oneof(
  fc.constantFrom(0n, 1n, 1n << 53n, (1n << 64n) - 1n),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
);
const int64 = fc.oneof(
  fc.constantFrom(0n, 1n, -1n, 60n, 1n << 53n, -(1n << 63n)),
  fc.bigInt({ min: 0n, max: 1n << 40n }),
);
const double = fc.oneof(
  fc.constantFrom(0, -0, 1, 0.001, 1_000, 1_001, Number.NaN, Number.POSITIVE_INFINITY),
  fc.double(),
);

/** Any message of a schema. */
export function arbitraryMessage<Schema extends DescMessage>(schema: Schema): fc.Arbitrary<MessageShape<Schema>> {
  return messageOf(schema, 0) as fc.Arbitrary<MessageShape<Schema>>;
}

function messageOf(schema: DescMessage, depth: number): fc.Arbitrary<unknown> {
  const members = schema.members.map((member): fc.Arbitrary<readonly [string, unknown]> => {
    if (member.kind === "field")
      return fc.option(valueOf(member, depth), { nil: undefined }).map((value) => [member.localName, value]);
    const cases = member.fields.map((field) =>
      valueOf(field, depth).map((value) => ({ case: field.localName, value })),
    );
    return fc.option(fc.oneof(...cases), { nil: undefined }).map((value) => [member.localName, value]);
  });
  return fc.tuple(...members).map((entries) => {
    const set = entries.filter(([, value]) => value !== undefined);
    return create(schema, Object.fromEntries(set) as MessageInitShape<DescMessage>);
  });
}

function valueOf(field: DescField, depth: number): fc.Arbitrary<unknown> {
  const maxLength = depth >= deepest ? 0 : 3;
  switch (field.fieldKind) {
    case "scalar":
      return scalarOf(field.scalar);
    case "enum":
      return fc.constantFrom(...field.enum.values.map(({ number }) => number), 9, 300, -1);
    case "message":
      return depth >= deepest ? fc.constant(undefined) : messageOf(field.message, depth + 1);
    case "list": {
      if (field.listKind === "scalar") return fc.array(scalarOf(field.scalar), { maxLength: 3 });
      if (field.listKind === "enum")
        return fc.array(fc.constantFrom(...field.enum.values.map(({ number }) => number)), { maxLength: 3 });
      return maxLength === 0 ? fc.constant([]) : fc.array(messageOf(field.message, depth + 1), { maxLength });
    }
    case "map": {
      const values = field.mapKind === "scalar" ? scalarOf(field.scalar) : fc.constant(undefined);
      return field.mapKind === "scalar"
        ? fc.dictionary(text, values, { maxKeys: 2, noNullPrototype: true })
        : fc.constant({});
    }
  }
}

function scalarOf(type: ScalarType): fc.Arbitrary<unknown> {
  switch (type) {
    case ScalarType.STRING:
      return text;
    case ScalarType.BYTES:
      return bytes;
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return double;
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return uint32;
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return int32;
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return uint64;
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return int64;
  }
}
