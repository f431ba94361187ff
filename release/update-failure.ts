import { MAY_HEAL } from "../lib/may-heal.ts";
import { SAID_ELSEWHERE } from "../stacks/said-elsewhere.ts";

/** What the engine adds where a resource has failed, which has said why. */
const SUMMARY = "update failed";
/** What the engine puts before the error of a hook. */
const HOOK = /^(?:before|after) hook "[^"]*" failed: /;
/** Lines of Pulumi's output that are kept where it has reported no error, as when it has not started. */
const KEPT = 12;

/** What the official Kubernetes provider says of a cluster that does not answer. */
const UNREACHABLE = "configured Kubernetes cluster is unreachable";

/** An update or a preview of a stack that has failed; the message says why, and is all that is to be shown of it. */
export class UpdateFailure extends Error {
  /**
   * Whether the same may succeed in a moment: nothing else stands against it. Where neither the program nor a resource has
   * failed, the engine has not come to them: its backend is away, or was refused.
   */
  readonly mayHeal: boolean;

  /**
   * @param diagnostics what the engine has reported
   * @param cause what the Automation API has thrown, with all that Pulumi has printed
   */
  constructor(
    diagnostics: readonly { readonly severity: string; readonly message: string }[],
    cause: unknown,
  ) {
    const reported = diagnostics.filter(({ severity }) => severity === "error");
    const errors = reported
      .map(({ message }) => message.trim().replace(HOOK, ""))
      .filter((message) => message !== SUMMARY && message !== SAID_ELSEWHERE);
    super(errors.length > 0 ? [...new Set(errors)].join("\n") : lastLines(cause), { cause });
    this.mayHeal =
      reported.length === 0 ||
      (errors.length > 0 &&
        errors.every((message) => message.includes(MAY_HEAL) || message.includes(UNREACHABLE)));
  }
}

function lastLines(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const lines = text.split("\n").map((line) => line.trimEnd());
  return lines
    .filter((line) => line.trim() !== "")
    .slice(-KEPT)
    .map((line) => line.replace(/^\s{4}/, ""))
    .join("\n");
}
