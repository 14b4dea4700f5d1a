import { InvalidArgumentError } from "commander";

/** Bounds of a number, both included. */
export interface NumberBounds {
  readonly min: number;
  readonly max: number;
}

/** Reads a whole number within bounds. */
export function integerArgument(bounds: NumberBounds): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= bounds.min && value <= bounds.max) return value;
    throw new InvalidArgumentError(`Give a whole number${rangeOf(bounds)}.`);
  };
}

/** Reads a number within bounds. */
export function numberArgument(bounds: NumberBounds): (text: string) => number {
  return (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (value >= bounds.min && value <= bounds.max) return value;
    throw new InvalidArgumentError(`Give a number${rangeOf(bounds)}.`);
  };
}

function rangeOf({ min, max }: NumberBounds): string {
  return max >= Number.MAX_SAFE_INTEGER ? `, ${min} or more` : ` from ${min} to ${max}`;
}
