import { CommandError } from "@pulumi/pulumi/automation/index.js";

/** What Pulumi calls an error in all that it has printed, or the whole of it. */
export function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (!(error instanceof CommandError)) return error.message;
  const lines = error.message.split("\n").filter((line) => line.startsWith("error: "));
  return lines.length > 0 ? [...new Set(lines)].join("\n") : error.message;
}
