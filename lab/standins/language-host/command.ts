import { createRequire } from "node:module";
import { join } from "node:path";
import type {
  ProgramInfo,
  RunPluginRequest,
  RunRequest,
} from "@pulumi/pulumi/proto/language_pb.js";

/** A Node.js process to start: the arguments after `node`, its folder and its environment. */
export interface Command {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Record<string, string | undefined>;
}

/** `runtime.options` of Pulumi.yaml that this host knows; the official host's documentation lists them. */
interface RuntimeOptions {
  readonly typescript?: boolean;
  readonly nodeargs?: string;
  readonly tsconfig?: string;
}

function optionsOf(info: ProgramInfo | undefined): RuntimeOptions {
  return info?.getOptions()?.toJavaScript() ?? {};
}

/** Finds a script of the SDK that is installed beside the program, so that both use the same copy. */
function sdkScript(name: string, programDirectory: string): string {
  try {
    return createRequire(join(programDirectory, "index.js")).resolve(`@pulumi/pulumi/${name}`);
  } catch (error) {
    throw new Error(
      `@pulumi/pulumi is not installed for the program in ${programDirectory}; run npm install there`,
      { cause: error },
    );
  }
}

function nodeArguments(options: RuntimeOptions): string[] {
  return options.nodeargs?.split(/\s+/).filter((argument) => argument !== "") ?? [];
}

function typescriptEnvironment(options: RuntimeOptions): Record<string, string> {
  return {
    ...(options.typescript !== false && { PULUMI_NODEJS_TYPESCRIPT: "true" }),
    ...(options.tsconfig !== undefined && { PULUMI_NODEJS_TSCONFIG_PATH: options.tsconfig }),
  };
}

/** The command that runs a Pulumi program: the SDK's `cmd/run` with the engine's addresses and the stack's config. */
export function programCommand(
  request: RunRequest,
  engine: string,
  environment: NodeJS.ProcessEnv,
): Command {
  const info = request.getInfo();
  const directory = info?.getProgramDirectory() ?? request.getPwd();
  const options = optionsOf(info);
  const flag = (name: string, value: string | number) => (value ? [name, String(value)] : []);
  return {
    args: [
      ...nodeArguments(options),
      sdkScript("cmd/run", directory),
      ...flag("--monitor", request.getMonitorAddress()),
      ...flag("--engine", engine),
      ...flag("--organization", request.getOrganization()),
      ...flag("--project", request.getProject()),
      ...flag("--root-directory", info?.getRootDirectory() ?? ""),
      ...flag("--stack", request.getStack()),
      ...flag("--pwd", directory),
      ...(request.getDryrun() ? ["--dry-run"] : []),
      ...flag("--parallel", request.getParallel()),
      info?.getEntryPoint() ?? request.getProgram(),
      ...request.getArgsList(),
    ],
    cwd: directory,
    env: {
      ...environment,
      ...typescriptEnvironment(options),
      PULUMI_CONFIG: JSON.stringify(programConfig(request.getConfigMap().toArray())),
      PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
    },
  };
}

/** Config as the SDK reads it: the engine's key `ns:name` is called `ns:config:name` there. */
function programConfig(entries: [string, string][]): Record<string, string> {
  return Object.fromEntries(
    entries.map(([key, value]) => {
      const colon = key.indexOf(":");
      return [`${key.slice(0, colon)}:config:${key.slice(colon + 1)}`, value];
    }),
  );
}

/** The command that runs a policy pack (kind "analyzer") or a plugin from its source folder. */
export function pluginCommand(request: RunPluginRequest): Command {
  const info = request.getInfo();
  const directory = info?.getProgramDirectory() ?? request.getProgram();
  const options = optionsOf(info);
  const policies = request.getKind() === "analyzer";
  return {
    args: [
      ...nodeArguments(options),
      sdkScript(policies ? "cmd/run-policy-pack" : "cmd/run-plugin", directory),
      ...(policies ? [...request.getArgsList(), directory] : [directory, ...request.getArgsList()]),
    ],
    // A policy pack reads its version from the package.json of the folder it runs in.
    cwd: policies ? directory : request.getPwd() || directory,
    env: {
      ...Object.fromEntries(
        request.getEnvList().map((entry) => {
          const equals = entry.indexOf("=");
          return [entry.slice(0, equals), entry.slice(equals + 1)];
        }),
      ),
      ...typescriptEnvironment(options),
    },
  };
}
