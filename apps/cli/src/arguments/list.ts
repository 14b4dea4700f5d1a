/** Reads an option that may be given several times: each value by `read`, in order. */
export function listArgument<T>(
  read: (text: string) => T,
): (text: string, previous: readonly T[] | undefined) => readonly T[] {
  return (text, previous) => [...(previous ?? []), read(text)];
}

/** A value as it is. */
export function textArgument(text: string): string {
  return text;
}
