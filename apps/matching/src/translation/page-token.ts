import { CallRefused } from "../errors/call-refused.ts";

/** Which list a page token belongs to. */
export type PagedList = "tasks" | "task-queues" | "workers" | "events";

/** A place in a list, as a token for its next page. The parts are the list's own. */
export function encodePageToken(list: PagedList, parts: readonly string[]): string {
  return Buffer.from(JSON.stringify([list, ...parts])).toString("base64url");
}

/** The parts of a page token; undefined for the first page. Refuses what is not a token of this list. */
export function decodePageToken(list: PagedList, token: string, parts: number): readonly string[] | undefined {
  if (token === "") return undefined;
  try {
    const found: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    if (Array.isArray(found) && found.length === parts + 1 && found[0] === list) {
      const rest = found.slice(1).filter((part) => typeof part === "string");
      if (rest.length === parts) return rest;
    }
  } catch {
    // Refused below, like every other thing that is not one of ours.
  }
  throw new CallRefused("INVALID_FIELD", {
    fields: [
      {
        reason: "INVALID_FIELD",
        field: "page_token",
        description:
          "is not a token of this list; send back next_page_token unchanged, or leave it empty for the first page",
      },
    ],
  });
}
