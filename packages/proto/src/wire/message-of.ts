import { fromBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { unusual } from "./wire-reader.ts";

/** The message that these bytes are; bytes that are none are `unusual`, as the usual way says best what is wrong with them. */
export function messageOf<Schema extends DescMessage>(schema: Schema, bytes: Uint8Array): MessageShape<Schema> {
  try {
    return fromBinary(schema, bytes);
  } catch {
    throw unusual;
  }
}
