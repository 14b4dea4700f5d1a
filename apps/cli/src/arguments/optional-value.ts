/**
 * Commander gives an option with an optional value whatever argument comes next: in `task add --wait demo greet` the
 * queue would be the timeout. So where the next argument is not meant for it, the option is written with an empty value.
 */
export function detachOptionalValue(
  argv: readonly string[],
  flag: string,
  isValue: (text: string) => boolean,
): readonly string[] {
  const end = argv.includes("--") ? argv.indexOf("--") : argv.length;
  return argv.map((argument, index) => {
    const next = index + 1 < end ? argv[index + 1] : undefined;
    return argument === flag && index < end && (next === undefined || !isValue(next)) ? `${flag}=` : argument;
  });
}
