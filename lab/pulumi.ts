import { execa } from "execa";
import { z } from "zod";

/** One operation of a preview, on one resource. */
export interface PreviewStep {
  /** create, update, replace, delete, same, read … */
  readonly op: string;
  readonly urn: string;
  /** Property paths that change. */
  readonly changes: readonly string[];
}

const previewJson = z.looseObject({
  steps: z
    .array(
      z.looseObject({
        op: z.string(),
        urn: z.string(),
        detailedDiff: z.record(z.string(), z.unknown()).nullish(),
      }),
    )
    .default([]),
});

const exported = z.looseObject({
  deployment: z.looseObject({ resources: z.array(z.looseObject({ urn: z.string() })).default([]) }),
});

const diagnostic = z.looseObject({
  diagnosticEvent: z.looseObject({ severity: z.string(), message: z.string() }).optional(),
});

const stackList = z.array(z.looseObject({ name: z.string() }));

/** What a command gave, and how long it took. */
export interface Timed<T> {
  readonly value: T;
  readonly seconds: number;
}

/** The plain Pulumi CLI, on one stack. */
export class PulumiCli {
  readonly #run;
  readonly #stack: string;

  /**
   * @param cwd folder of the Pulumi program
   * @param env environment that selects engine, backend and passphrase
   * @param stack name of the stack
   */
  constructor(cwd: string, env: Readonly<Record<string, string>>, stack: string) {
    this.#run = execa({ cwd, env, stdin: "ignore" });
    this.#stack = stack;
  }

  async #command(args: readonly string[]): Promise<Timed<string>> {
    const { stdout, durationMs } = await this.#run("pulumi", [
      ...args,
      "--stack",
      this.#stack,
      "--non-interactive",
    ]);
    return { value: stdout, seconds: durationMs / 1000 };
  }

  async setWeight(weight: number): Promise<void> {
    await this.#command(["config", "set", "weight", String(weight)]);
  }

  /** Sets a key inside the config, such as `services[0].canary.version`, or removes it. */
  async setConfig(path: string, value: string | undefined): Promise<void> {
    await this.#command(
      value === undefined
        ? ["config", "rm", "--path", path]
        : ["config", "set", "--path", path, value],
    );
  }

  /** Sets keys inside the config, in the order given, to texts. */
  async setConfigs(values: Readonly<Record<string, string>>): Promise<void> {
    const keys = Object.entries(values).flatMap(([path, value]) => [
      "--plaintext",
      `${path}=${value}`,
    ]);
    if (keys.length > 0) await this.#command(["config", "set-all", "--path", ...keys]);
  }

  /** The configured weight, as the stack's config file has it. */
  async weight(): Promise<number> {
    return Number((await this.#command(["config", "get", "weight"])).value);
  }

  /**
   * The steps of `pulumi preview` that change something.
   *
   * @param flags further flags. @default none
   */
  async preview(...flags: readonly string[]): Promise<Timed<readonly PreviewStep[]>> {
    const { value, seconds } = await this.#command(["preview", "--json", ...flags]);
    const { steps } = previewJson.parse(JSON.parse(value));
    return {
      seconds,
      value: steps
        .filter(({ op }) => op !== "same" && op !== "read")
        .map(({ op, urn, detailedDiff }) => ({
          op,
          urn,
          changes: Object.keys(detailedDiff ?? {}),
        })),
    };
  }

  /** @param flags further flags. @default none */
  async up(message: string, ...flags: readonly string[]): Promise<Timed<string>> {
    return this.#command(["up", "--yes", "--skip-preview", "--message", message, ...flags]);
  }

  /**
   * As `up`, with the engine's events.
   *
   * @param onEvent is called with each event as it comes, as the engine writes it
   * @throws with the errors that the engine has told
   */
  async upWithEvents(
    message: string,
    onEvent: (event: unknown) => void,
  ): Promise<{ readonly seconds: number }> {
    const flags = ["--yes", "--skip-preview", "--json", "--non-interactive"];
    const command = this.#run({ reject: false })("pulumi", [
      ...["up", "--stack", this.#stack, "--message", message],
      ...flags,
    ]);
    const errors: string[] = [];
    for await (const line of command) {
      const event: unknown = JSON.parse(line);
      onEvent(event);
      const { diagnosticEvent } = diagnostic.parse(event);
      if (diagnosticEvent?.severity === "error") errors.push(diagnosticEvent.message.trim());
    }
    const { failed, stderr, shortMessage, durationMs } = await command;
    if (failed)
      throw new Error([shortMessage ?? "pulumi up has failed", ...errors, stderr].join("\n"));
    return { seconds: durationMs / 1000 };
  }

  /** Takes the lock away that a killed command has left. */
  async cancel(): Promise<void> {
    await this.#command(["cancel", "--yes"]);
  }

  /** How often the stack has been updated or destroyed. */
  async updates(): Promise<number> {
    const { value } = await this.#command(["stack", "history", "--json", "--page-size", "1000"]);
    return z.array(z.unknown()).parse(JSON.parse(value)).length;
  }

  /** Whether there is such a stack. */
  async exists(): Promise<boolean> {
    const { stdout } = await this.#run("pulumi", ["stack", "ls", "--json", "--non-interactive"]);
    return stackList.parse(JSON.parse(stdout)).some(({ name }) => name === this.#stack);
  }

  /** Makes the stack, without selecting it. */
  async create(): Promise<void> {
    await this.#command(["stack", "init", "--no-select"]);
  }

  async destroy(): Promise<void> {
    await this.#command(["destroy", "--yes", "--skip-preview"]);
  }

  /**
   * Removes a stack and its config file.
   *
   * @param options.force whether resources that its state still has are no reason to refuse. @default false
   */
  async remove({ force = false }: { readonly force?: boolean } = {}): Promise<void> {
    await this.#command(["stack", "rm", "--yes", ...(force ? ["--force"] : [])]);
  }

  /** The stack's state, as `pulumi stack export` prints it. */
  async exported(): Promise<unknown> {
    return JSON.parse((await this.#command(["stack", "export"])).value);
  }

  /** The URNs of the stack's resources. */
  async urns(): Promise<readonly string[]> {
    const { deployment } = exported.parse(await this.exported());
    return deployment.resources.map(({ urn }) => urn);
  }

  /** Hands resources over to another stack, in the states of both and nowhere else. */
  async move(urns: readonly string[], to: string): Promise<void> {
    await this.#run("pulumi", [
      ...["state", "move", "--yes", "--source", this.#stack, "--dest", to, "--non-interactive"],
      ...urns,
    ]);
  }

  async outputs(): Promise<unknown> {
    return JSON.parse((await this.#command(["stack", "output", "--json"])).value);
  }
}
