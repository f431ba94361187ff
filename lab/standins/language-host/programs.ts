import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { execPath } from "node:process";
import { status, type ServerWritableStream } from "@grpc/grpc-js";
import languagePb from "@pulumi/pulumi/proto/language_pb.js";
import type {
  RunPluginRequest,
  RunPluginResponse,
  RunRequest,
  RunResponse,
} from "@pulumi/pulumi/proto/language_pb.js";
import { pluginCommand, programCommand } from "./command.ts";

/** The SDK's exit code for "failed, and the user has been told why". */
const EXIT_TOLD = 32;

/** The Node.js processes this host has started: programs, policy packs, plugins. */
export class Programs {
  /** Address of the engine; programs report their messages there. */
  engine: string;
  readonly #running = new Set<ChildProcess>();

  constructor(engine: string) {
    this.engine = engine;
  }

  /** Runs a program to its end and answers how it ended. */
  readonly run = async (request: RunRequest): Promise<RunResponse> => {
    const response = new languagePb.RunResponse();
    const { args, cwd, env } = programCommand(request, this.engine, process.env);
    const child = this.#start(
      spawn(execPath, args, { cwd, env, stdio: ["ignore", "inherit", "inherit"] }),
    );
    const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
    if (code === EXIT_TOLD) return response.setBail(true);
    if (code === 0) return response;
    return response.setError(
      code === null
        ? `the program was ended by ${signal ?? "a signal"}`
        : `the program exited with code ${code}`,
    );
  };

  /** Runs a policy pack or plugin, passing on what it prints. */
  readonly runPlugin = (call: ServerWritableStream<RunPluginRequest, RunPluginResponse>): void => {
    this.#pipe(call).catch((error: unknown) => {
      const details = error instanceof Error ? error.message : String(error);
      call.emit("error", { code: status.UNKNOWN, details });
    });
  };

  /** Asks every process to end, and waits until they have. */
  async stop(): Promise<void> {
    await Promise.all(
      [...this.#running].map(async (child) => {
        const ended = once(child, "exit");
        child.kill("SIGINT");
        await ended;
      }),
    );
  }

  async #pipe(call: ServerWritableStream<RunPluginRequest, RunPluginResponse>): Promise<void> {
    const { args, cwd, env } = pluginCommand(call.request);
    const child = spawn(execPath, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    this.#start(child);
    child.stdout.on("data", (data: Buffer) => {
      call.write(new languagePb.RunPluginResponse().setStdout(data));
    });
    child.stderr.on("data", (data: Buffer) => {
      call.write(new languagePb.RunPluginResponse().setStderr(data));
    });
    call.on("cancelled", () => child.kill("SIGINT"));
    const [code] = (await once(child, "close")) as [number | null];
    call.write(new languagePb.RunPluginResponse().setExitcode(code ?? 1));
    call.end();
  }

  #start(child: ChildProcess): ChildProcess {
    this.#running.add(child);
    child.once("exit", () => this.#running.delete(child));
    return child;
  }
}
