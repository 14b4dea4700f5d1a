import { readFileSync } from "node:fs";
import type { DescEnum } from "@bufbuild/protobuf";
import { codeToHttpStatus, codeToString } from "@connectrpc/connect/protocol-connect";
import { ErrorReasonSchema, OperatorService, TaskService, TaskStateSchema, WorkerService } from "@tq/proto";
import { describe, expect, it } from "vitest";
import { errorTable, type Reason } from "../src/errors/error-table.ts";

const root = new URL("../../../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");

const document = read("docs/protocol.md");
const services = [
  { service: TaskService, file: "task_service" },
  { service: WorkerService, file: "worker_service" },
  { service: OperatorService, file: "operator_service" },
] as const;

/** The text under a heading, up to the next one of its rank or above. */
function section(heading: string): string {
  const rank = heading.split(" ")[0]!.length;
  const start = document.indexOf(`\n${heading}\n`);
  if (start === -1) throw new Error(`docs/protocol.md has no heading "${heading}"`);
  const rest = document.slice(start + heading.length + 2);
  const end = rest.search(new RegExp(`^#{1,${rank}} `, "m"));
  return end === -1 ? rest : rest.slice(0, end);
}

/** The rows of the first table in a text, without its head. */
function rows(text: string): readonly (readonly string[])[] {
  const lines = text.split("\n");
  const first = lines.findIndex((line) => line.startsWith("|"));
  const table = lines.slice(
    first,
    lines.findIndex((line, i) => i > first && !line.startsWith("|")),
  );
  return table.slice(2).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** What looks like a reason. */
const reasonsIn = (text: string): string[] =>
  [...text.matchAll(/\b[A-Z]+(?:_[A-Z]+)+\b|\bINTERNAL\b/g)].map(([reason]) => reason);

const names = ({ values }: DescEnum): string[] =>
  values.map(({ localName }) => localName).filter((name) => name !== "UNSPECIFIED");

/** The errors that the comment of each call of a proto file names, by the call. */
function commented(file: string): ReadonlyMap<string, readonly string[]> {
  const proto = read(`proto/tq/v1/${file}.proto`);
  const calls = [...proto.matchAll(/((?:^ {2}\/\/.*\n)*) {2}rpc (\w+)\(/gm)];
  return new Map(
    calls.map(([, comment, call]) => {
      const text = comment!.replaceAll(/^ {2}\/\/ ?/gm, "").replaceAll("\n", " ");
      const [, errors] = /(?:^|\s)Errors: (.*)\.\s*$/.exec(text) ?? [];
      return [call!, errors?.split(", ") ?? []];
    }),
  );
}

const everyCall = reasonsIn(section("## Calls").slice(0, section("## Calls").indexOf("###")));

/** What the calls of a service give, as the document has it. */
const documented = (service: string): ReadonlyMap<string, readonly string[]> =>
  new Map(rows(section(`### ${service}`)).map(([call, errors]) => [call!.replaceAll("`", ""), reasonsIn(errors!)]));

describe("the error table of docs/protocol.md", () => {
  const errors = rows(section("## Errors")).map(([reason, code, grpc, http, retry, when, what]) => ({
    reason: reason!.replaceAll("`", ""),
    code: code!.replaceAll("`", ""),
    grpc: Number(grpc),
    http: Number(http),
    retry: retry!,
    words: [when!, what!],
  }));

  it("has every reason of the proto, and no other, in its order", () => {
    expect(errors.map(({ reason }) => reason)).toEqual(names(ErrorReasonSchema));
  });

  it.each(errors)("has $reason as the code does", ({ reason, code, grpc, http, retry, words }) => {
    const entry = errorTable[reason as Reason];
    expect({ code, grpc, http }).toEqual({
      code: codeToString(entry.code),
      // The numbers of Connect's codes are those of gRPC.
      grpc: entry.code,
      http: codeToHttpStatus(entry.code),
    });
    expect(retry).toBe(entry.retryAfterMs === undefined ? "" : `${entry.retryAfterMs / 1_000} s`);
    expect(words.filter((text) => text === "")).toEqual([]);
  });
});

describe("the calls of docs/protocol.md", () => {
  it.each(services)("are those of $service.typeName, in its order", ({ service }) => {
    expect([...documented(service.name).keys()]).toEqual(service.methods.map(({ name }) => name));
  });

  it.each(services.flatMap(({ service, file }) => service.methods.map(({ name }) => ({ service, file, name }))))(
    "have the errors that the comment of $name does",
    ({ service, file, name }) => {
      const errors = commented(file).get(name);
      expect(errors).not.toEqual([]);
      expect(documented(service.name).get(name)).toEqual(errors);
    },
  );

  it("name reasons that there are, each once, in the order of the table, and none that every call gives", () => {
    const order = names(ErrorReasonSchema);
    for (const { service } of services) {
      for (const [call, errors] of documented(service.name)) {
        const sorted = order.filter((reason) => errors.includes(reason) && !everyCall.includes(reason));
        expect([call, errors]).toEqual([call, sorted]);
      }
    }
  });

  it("say of every call what the comment of ErrorReason says", () => {
    const comment = /every call can\n\/\/ give (.*?)\./s.exec(read("proto/tq/v1/error.proto"))?.[1];
    expect(everyCall).toEqual(reasonsIn(comment!));
    expect(everyCall).toHaveLength(3);
  });

  it("leave no reason out that is not named beside them", () => {
    const given = services.flatMap(({ service }) => [...documented(service.name).values()].flat());
    const beside = document.slice(document.indexOf("What is wrong with one item of an answer"));
    const named = new Set([...everyCall, ...given, ...reasonsIn(beside)]);
    expect(names(ErrorReasonSchema).filter((reason) => !named.has(reason))).toEqual([]);
  });

  it("say what the comment of RespondTasks says of a bad item", () => {
    const comment = /its ItemError: (.*?)\./s.exec(read("proto/tq/v1/worker_service.proto"))?.[1];
    const sentence = /`ItemError` of one of these reasons: (.*?)\./s.exec(document)?.[1];
    expect(reasonsIn(sentence!)).toEqual(reasonsIn(comment!));
    expect(reasonsIn(comment!)).toHaveLength(6);
  });
});

describe("the states of docs/protocol.md", () => {
  const states = names(TaskStateSchema);

  it("are those of the proto, in its order", () => {
    expect(rows(section("## States")).map(([state]) => state)).toEqual(states.map((state) => `\`${state}\``));
  });

  it("are all that a transition leads to", () => {
    const cells = rows(section("## Transitions")).flatMap((row) => row.slice(1, 5));
    const named = new Set(cells.flatMap((cell) => [...cell.matchAll(/`([A-Z_]+)`/g)].map(([, state]) => state!)));
    // FAILED is only reached by way of what follows a failed attempt, which stands below the table.
    expect([...named, "FAILED"].sort()).toEqual(states.toSorted());
    expect(section("## Transitions")).toMatch(/\*\*retry\.\*\*.*`FAILED`/s);
  });

  it("have six cells in each row, and say what becomes of the attempt", () => {
    for (const row of rows(section("## Transitions")))
      expect([row.length, row.at(-1)]).toEqual([6, expect.stringMatching(/./)]);
  });

  it("name every failure type that the server gives", () => {
    const types = [...read("packages/matching-core/src/closing.ts").matchAll(/^ {2}\w+: "([A-Z]\w+)",$/gm)];
    expect(types.length).toBeGreaterThan(5);
    for (const [, type] of types) expect(section("## Transitions")).toContain(`\`${type}\``);
  });
});
