import { execa } from "execa";
import { NO_PULUMI } from "../lib/no-pulumi.ts";

interface PreviewOptions {
  /** @default the current one */
  readonly cwd?: string;
  /** Beside the environment that there is. */
  readonly env?: Readonly<Record<string, string>>;
  /** @default the stack's own */
  readonly configFile?: string;
  /** Further flags of `pulumi preview`. @default none */
  readonly flags?: readonly string[];
  /** Ends it. @default nothing does */
  readonly signal?: AbortSignal | undefined;
  /** Keeps what it prints on standard error from the terminal. @default it is shown */
  readonly quiet?: boolean;
}

/** What a preview has come to. */
interface PreviewResult {
  /** Standard output. */
  readonly json: string;
  readonly ok: boolean;
  /** Standard error, if it was kept from the terminal. */
  readonly stderr?: string | undefined;
}

/**
 * What `pulumi preview` prints of a stack, and whether it has succeeded.
 *
 * @throws if there is no Pulumi CLI
 */
export async function previewJson(
  stack: string,
  { configFile, flags = [], signal, quiet = false, ...options }: PreviewOptions = {},
): Promise<PreviewResult> {
  const { stdout, stderr, exitCode, code } = await execa(
    "pulumi",
    [
      ...["preview", "--json", "--show-sames", "--non-interactive", "--stack", stack],
      ...(configFile === undefined ? [] : ["--config-file", configFile]),
      ...flags,
    ],
    {
      ...options,
      ...(signal && { cancelSignal: signal }),
      stdin: "ignore",
      stderr: quiet ? "pipe" : "inherit",
      reject: false,
    },
  );
  if (code === "ENOENT") throw new Error(NO_PULUMI);
  return { json: stdout, ok: exitCode === 0, stderr };
}
