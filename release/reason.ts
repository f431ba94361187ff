import { NO_PULUMI } from "../lib/no-pulumi.ts";

/** Names of the errors that hold all that the Pulumi CLI has printed. */
const PULUMI_ERRORS = [
  "CommandError",
  "ConcurrentUpdateError",
  "StackNotFoundError",
  "StackAlreadyExistsError",
];

/** How Node says that there is no program of this name. */
const NOT_FOUND = "spawn pulumi ENOENT";

/** What Pulumi calls an error in all that it has printed, or the whole of it. */
export function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // By its name: release zero has no Pulumi to know its classes from.
  if (!PULUMI_ERRORS.includes(error.name)) return error.message;
  if (error.message.includes(NOT_FOUND)) return NO_PULUMI;
  const lines = error.message.split("\n").filter((line) => line.startsWith("error: "));
  return lines.length > 0 ? [...new Set(lines)].join("\n") : error.message;
}
