/** A profile as V8 writes it (`.cpuprofile`). */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[] | undefined;
  }[];
  /** The node that each sample was taken in. */
  readonly samples?: readonly number[] | undefined;
  /** Microseconds from the sample before to each. */
  readonly timeDeltas?: readonly number[] | undefined;
}

/** Where time was spent: a function as called by those above it. */
export interface Call {
  readonly name: string;
  /** Microseconds in it and in what it called. */
  readonly total: number;
  /** Microseconds in itself. */
  readonly self: number;
  /** The longest first. */
  readonly calls: readonly Call[];
}

/** What V8 calls the time in which there was nothing to do. */
export const idleName = "(idle)";

/** The calls of a profile, from its root. Calls of one name by one caller are one. `rootUrl` is left out of file names. */
export function callTree({ nodes, samples = [], timeDeltas = [] }: CpuProfile, rootUrl: string): Call {
  const selfOf = new Map<number, number>();
  // A sample says where the time up to the next one was spent.
  for (const [index, id] of samples.entries()) {
    selfOf.set(id, (selfOf.get(id) ?? 0) + Math.max(0, timeDeltas[index + 1] ?? 0));
  }
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const merged = (name: string, ids: readonly number[]): Call => {
    const groups = new Map<string, number[]>();
    for (const child of ids.flatMap((id) => byId.get(id)?.children ?? [])) {
      const node = byId.get(child);
      if (node === undefined) continue;
      const childName = nameOf(node.callFrame, rootUrl);
      groups.set(childName, [...(groups.get(childName) ?? []), child]);
    }
    const calls = [...groups].map(([childName, children]) => merged(childName, children));
    const self = ids.reduce((sum, id) => sum + (selfOf.get(id) ?? 0), 0);
    const total = calls.reduce((sum, call) => sum + call.total, self);
    return { name, total, self, calls: calls.filter((call) => call.total > 0).toSorted((a, b) => b.total - a.total) };
  };
  const [root] = nodes;
  return merged("all", root === undefined ? [] : [root.id]);
}

/** The functions in which most time was spent, wherever they were called from. */
export function longest(root: Call, count: number): { readonly name: string; readonly self: number }[] {
  const selfOf = new Map<string, number>();
  const visit = ({ name, self, calls }: Call): void => {
    selfOf.set(name, (selfOf.get(name) ?? 0) + self);
    for (const call of calls) visit(call);
  };
  visit(root);
  return [...selfOf]
    .map(([name, self]) => ({ name, self }))
    .toSorted((a, b) => b.self - a.self)
    .slice(0, count);
}

function nameOf({ functionName, url, lineNumber }: CpuProfile["nodes"][number]["callFrame"], rootUrl: string): string {
  // Functions of native modules, SQLite's driver among them, have no file, and no name of their own.
  if (url === "") return ["", "StatementIterator"].includes(functionName) ? "(native)" : functionName;
  const name = functionName === "" ? "(anonymous)" : functionName;
  // A package's own file, not where pnpm keeps it.
  const file = url.replace(rootUrl, "").replace(/^.*\/node_modules\//, "");
  return `${name} ${file}:${lineNumber + 1}`;
}
