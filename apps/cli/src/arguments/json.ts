import { readFile } from "node:fs/promises";
import { TextDecoder } from "node:util";
import { invalidField } from "@tq/client/internal";
import { JsonText } from "../json-text.ts";

/** Reads the JSON of an argument, number `index` counted from 0. */
export function jsonArgument(text: string, index: number): JsonText {
  const why = whyNoJson(text);
  if (why === undefined) return new JsonText(text);
  const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  throw invalidField(
    `JSON argument ${index + 1}`,
    `${shown === "" ? "an empty argument" : shown} is no JSON (${why}). ` +
      `Text needs quotes that the shell leaves alone: '${JSON.stringify(/^[\w .-]+$/.test(text) ? text : "text")}'`,
  );
}

/** Reads the JSON of a file; `-` is stdin. */
export async function jsonFile(path: string, stdin: AsyncIterable<string | Uint8Array>): Promise<JsonText> {
  const name = path === "-" ? "stdin" : path;
  const bytes = path === "-" ? await allOf(stdin) : await readInput(path);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw invalidField("--input-file", `${name} is not UTF-8: it has to hold one JSON value`, cause);
  }
  const why = whyNoJson(text);
  if (why !== undefined) throw invalidField("--input-file", `${name} is no JSON (${why})`);
  return new JsonText(text.trim());
}

function whyNoJson(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.replace(/, "[^]*is not valid JSON$/, "") : String(error);
  }
}

async function readInput(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "it cannot be read";
    const why = code === "ENOENT" ? "there is no such file" : code === "EISDIR" ? "it is a folder" : code;
    throw invalidField("--input-file", `${path}: ${why}`, cause);
  }
}

async function allOf(stdin: AsyncIterable<string | Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stdin) chunks.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
  return Buffer.concat(chunks);
}
