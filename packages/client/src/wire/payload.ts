import type { Payload } from "@tq/proto";
import { payloadTags, unusual, type WireReader } from "@tq/proto/wire";

/** Reads a payload that is the next field of `reader`. One with metadata is unusual. */
export function readPayload(reader: WireReader): Payload {
  reader.piece();
  const { to, end } = reader;
  reader.at = reader.from;
  reader.end = to;
  let contentType = "";
  let body: Payload["body"] = { case: undefined };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case payloadTags.contentType:
        contentType = reader.text();
        break;
      case payloadTags.text:
        body = { case: "text", value: reader.text() };
        break;
      case payloadTags.bytes:
        body = { case: "bytes", value: reader.view() };
        break;
      default:
        throw unusual;
    }
  }
  reader.end = end;
  return { $typeName: "tq.v1.Payload", contentType, body, metadata: {} };
}
