import type { StandardSchemaV1 } from "@standard-schema/spec";
import { checkNewTask, type TaskOptions, TqError } from "@tq/client";
import { invalidField, type KnownOptions, refuseUnknownOptions, requireRecord } from "@tq/client/internal";
import { ApplicationFailure } from "./failure.ts";

/** How tasks of an activity are run unless its caller says otherwise: timeouts, retries, priority and the like. */
export type ActivityDefaults = Omit<TaskOptions, "id">;

/** What {@link defineActivity} takes besides the function. */
export interface ActivityDefinitionOptions<Schema extends StandardSchemaV1> {
  /** What the input must look like: a schema of zod, valibot, arktype, or any library that keeps to Standard Schema. */
  readonly input: Schema;
  /** What callers get that are given the activities (`client.activity({ taskQueue, activities })`) and say nothing else. Default none. */
  readonly defaults?: ActivityDefaults;
}

/** An activity that checks its input. To register and to call it is a function like any other. */
export interface DefinedActivity<Schema extends StandardSchemaV1, Result> {
  (input: StandardSchemaV1.InferInput<Schema>): Promise<Result>;
  /** The schema. */
  readonly input: Schema;
  /** How its tasks are run unless the caller says otherwise. */
  readonly defaults: ActivityDefaults;
}

/** One thing that is wrong with an input, as the failure's details have it. */
export interface InputIssue {
  /** Where, such as `order.lines[2].price`; empty for the input as a whole. */
  readonly path: string;
  readonly message: string;
}

const definitionOptions: KnownOptions<ActivityDefinitionOptions<StandardSchemaV1>> = { input: true, defaults: true };

/** The failure names this many issues, so that a list of a thousand wrong lines stays readable. */
const maxIssues = 20;

/**
 * An activity of one argument that is checked before `fn` sees it, which gets what the schema makes of it: defaults filled
 * in, text turned into numbers, and so on. Input that the schema refuses is a failure of type `InvalidInput` that is never
 * tried again and names each path; its details are {@link InputIssue}s. A schema may check asynchronously, as with a look-up: it
 * is waited for within the attempt, whose `Context.current()` it has, and if it throws the attempt fails like any other.
 *
 *     const resize = defineActivity({ input: z.object({ path: z.string(), width: z.int() }) }, async ({ path, width }) => …);
 *
 * @throws TqError `invalid_argument` naming an option that is wrong.
 */
export function defineActivity<Schema extends StandardSchemaV1, Result>(
  options: ActivityDefinitionOptions<Schema>,
  fn: (input: StandardSchemaV1.InferOutput<Schema>) => Result | Promise<Result>,
): DefinedActivity<Schema, Result> {
  refuseUnknownOptions(options, definitionOptions);
  const { input: schema, defaults = {} } = options;
  if (!isSchema(schema)) throw invalidField("input", "is no schema of a library that keeps to Standard Schema");
  if (typeof fn !== "function") throw invalidField("fn", "is no function");
  checkDefaults(defaults);
  async function activity(this: unknown, input: StandardSchemaV1.InferInput<Schema>): Promise<Result> {
    const checked = await schema["~standard"].validate(input);
    if (checked.issues !== undefined) throw invalidInput(checked.issues);
    return (await Reflect.apply(fn, this, [checked.value])) as Result;
  }
  return Object.assign(activity, { input: schema, defaults: Object.freeze({ ...defaults }) });
}

function checkDefaults(defaults: ActivityDefaults): void {
  requireRecord(defaults, "defaults");
  for (const name of ["id", "taskQueue", "kind", "type", "args"])
    if (name in defaults) throw invalidField(`defaults.${name}`, "is for the caller to say, of each task");
  try {
    checkNewTask({ ...defaults, taskQueue: "", type: "" });
  } catch (error) {
    if (!(error instanceof TqError)) throw error;
    const fields = error.fields.map(({ field, description }) => ({ field: `defaults.${field}`, description }));
    throw error.with({ message: `defaults.${error.message}`, fields });
  }
}

/** Libraries have objects for schemas, and functions (arktype). */
function isSchema(value: unknown): boolean {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  const standard: unknown = Reflect.get(value, "~standard");
  return typeof standard === "object" && standard !== null && typeof Reflect.get(standard, "validate") === "function";
}

function invalidInput(found: readonly StandardSchemaV1.Issue[]): ApplicationFailure {
  const issues = found.slice(0, maxIssues).map(({ path = [], message }): InputIssue => ({ path: text(path), message }));
  const named = issues.map(({ path, message }) => `${at(path)}: ${message}`);
  const more = found.length > maxIssues ? [`and ${found.length - maxIssues} more`] : [];
  return ApplicationFailure.nonRetryable([...named, ...more].join("; "), "InvalidInput", ...issues);
}

function at(path: string): string {
  if (path === "") return "input";
  return path.startsWith("[") ? `input${path}` : `input.${path}`;
}

function text(path: readonly (PropertyKey | StandardSchemaV1.PathSegment)[]): string {
  let written = "";
  for (const segment of path) {
    const key = typeof segment === "object" ? segment.key : segment;
    if (typeof key === "number" || /^\d+$/.test(String(key))) written += `[${String(key)}]`;
    else written += written === "" ? String(key) : `.${String(key)}`;
  }
  return written;
}
