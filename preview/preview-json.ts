import { execa } from "execa";

interface PreviewOptions {
  /** @default the current one */
  readonly cwd?: string;
  /** Beside the environment that there is. */
  readonly env?: Readonly<Record<string, string>>;
  /** @default the stack's own */
  readonly configFile?: string;
  /** Ends it. @default nothing does */
  readonly signal?: AbortSignal | undefined;
}

/** What `pulumi preview` prints of a stack, and whether it has succeeded. */
export async function previewJson(
  stack: string,
  { configFile, signal, ...options }: PreviewOptions = {},
): Promise<{ json: string; ok: boolean }> {
  const { stdout, exitCode } = await execa(
    "pulumi",
    [
      ...["preview", "--json", "--show-sames", "--non-interactive", "--stack", stack],
      ...(configFile === undefined ? [] : ["--config-file", configFile]),
    ],
    {
      ...options,
      ...(signal && { cancelSignal: signal }),
      stdin: "ignore",
      stderr: "inherit",
      reject: false,
    },
  );
  return { json: stdout, ok: exitCode === 0 };
}
