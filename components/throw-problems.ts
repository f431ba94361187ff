import { RunError } from "@pulumi/pulumi";
import { problemLine, type Problem } from "../lib/problems.ts";

/**
 * Stops the program with every problem in one error, or does nothing when there is none. Pulumi
 * prints a RunError without a stack trace.
 *
 * @param heading what the problems are in, as a line that ends in a colon
 */
export function throwProblems(heading: string, problems: readonly Problem[]): void {
  if (problems.length > 0) {
    throw new RunError([heading, ...problems.map(problemLine)].join("\n"));
  }
}
