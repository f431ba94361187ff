import { execa } from "execa";
import { parseState, type StackState } from "./eject/state.ts";

/** Where the Pulumi CLI runs. */
interface StateOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Secrets in it stay encrypted. The Automation API would write them to a file in plain text. */
async function pulumi(
  args: readonly string[],
  { cwd, env }: StateOptions,
  input = "",
): Promise<string> {
  const { stdout, stderr, exitCode } = await execa("pulumi", [...args, "--non-interactive"], {
    ...{ cwd, env, input },
    reject: false,
  });
  if (exitCode !== 0) {
    throw new Error(`pulumi ${args.slice(0, 2).join(" ")} has failed: ${stderr.trim()}`);
  }
  return stdout;
}

/** A stack's state. */
export async function exportState(stack: string, options: StateOptions): Promise<StackState> {
  return parseState(await pulumi(["stack", "export", "--stack", stack], options));
}

/**
 * Replaces a stack's state.
 *
 * @throws if another update of it is running
 */
export async function importState(
  stack: string,
  state: StackState,
  options: StateOptions,
): Promise<void> {
  await pulumi(["stack", "import", "--stack", stack], options, JSON.stringify(state));
}
