/** Three significant digits, and thousands set apart. */
export function rounded(value: number): string {
  return value.toLocaleString("en", { maximumSignificantDigits: 3 });
}
