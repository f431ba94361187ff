import { InvalidArgumentError } from "commander";

/**
 * The value of an option that is a count.
 *
 * @throws if it is not a whole number above 0
 */
export function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new InvalidArgumentError("It must be a whole number above 0.");
  }
  return value;
}
