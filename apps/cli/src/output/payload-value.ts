import type { Payload } from "@tq/proto";

/** A value that JSON can say. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [name: string]: JsonValue };

// In Node since 21, and not in TypeScript's ES2024 yet.
interface ExactJson {
  parse(text: string, reviver: (name: string, value: JsonValue, context: { source?: string }) => JsonValue): JsonValue;
  rawJSON(text: string): JsonValue;
}
const exactJson = JSON as unknown as ExactJson;

/**
 * The value of a payload. Text is what its content type says, or itself. What is no value, because it is bytes or not
 * what it says, is shown as it travels. An empty payload is `null`: JSON has nothing else for it.
 */
export function payloadValue(payload: Payload): JsonValue {
  const { body, contentType } = payload;
  switch (body.case) {
    case undefined:
      return null;
    case "text":
      return isJson(payload) ? jsonValue(payload, body.value) : body.value;
    case "bytes":
      return isJson(payload)
        ? jsonValue(payload, new TextDecoder().decode(body.value))
        : { contentType, bytes: Buffer.from(body.value).toString("base64") };
  }
}

/** A payload in one line. */
export function payloadText(payload: Payload): string {
  return payload.body.case === undefined ? "(empty)" : JSON.stringify(payloadValue(payload));
}

function isJson({ contentType, body }: Payload): boolean {
  return contentType === "" ? body.case === "text" : /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(contentType);
}

function jsonValue({ contentType }: Payload, text: string): JsonValue {
  try {
    return exactJson.parse(text, (_name, value, { source }) =>
      // A number that a double cannot hold keeps its digits.
      typeof value === "number" && source !== undefined && String(value) !== source ? exactJson.rawJSON(source) : value,
    );
  } catch {
    return { contentType, text };
  }
}
