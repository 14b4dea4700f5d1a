import { create } from "@bufbuild/protobuf";
import { defaultPayloadConverter, type PayloadConverter } from "@tq/client";
import { type Payload, PayloadSchema } from "@tq/proto";

/** A JSON value as it was typed, so that it travels so: a number beyond 2^53 keeps its digits. */
export class JsonText {
  readonly text: string;

  /** @param text Well-formed JSON. */
  constructor(text: string) {
    this.text = text;
  }
}

/** The client's own converter, and {@link JsonText} as it is. */
export const jsonTextConverter: PayloadConverter = Object.freeze({
  toPayload: (value: unknown) =>
    value instanceof JsonText
      ? create(PayloadSchema, { body: { case: "text", value: value.text } })
      : defaultPayloadConverter.toPayload(value),
  fromPayload: (payload: Payload) => defaultPayloadConverter.fromPayload(payload),
});
