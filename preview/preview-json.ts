import { execa } from "execa";

/** What `pulumi preview` prints of a stack, and whether it has succeeded. */
export async function previewJson(
  stack: string,
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<{ json: string; ok: boolean }> {
  const { stdout, exitCode } = await execa(
    "pulumi",
    ["preview", "--json", "--show-sames", "--non-interactive", "--stack", stack],
    { ...options, stdin: "ignore", stderr: "inherit", reject: false },
  );
  return { json: stdout, ok: exitCode === 0 };
}
