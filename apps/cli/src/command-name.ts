/** How the user calls this program, so that a hint can be typed as it is printed: `tq`, or through pnpm in the repository. */
export function commandNameOf(env: Readonly<Record<string, string | undefined>>): string {
  if (env["npm_lifecycle_event"] === undefined) return "tq";
  // Run as `npx pnpm@12 …`: there may be no pnpm on the path.
  return env["npm_execpath"]?.includes("_npx") === true ? "npx pnpm@12 tq" : "pnpm tq";
}
