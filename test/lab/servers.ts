import path from "node:path";

import { execa } from "execa";

import { labSettings } from "../../lab/settings.ts";
import { until } from "../../lib/until.ts";

const settings = labSettings();
const source = path.join(settings.root, "lab", "toolchain", "servers");
const programs = path.join(settings.dir, "servers");

/** A server of the module lab/toolchain/servers that is running. */
export interface RunningServer {
  /** Its host and port. */
  readonly address: string;
  stop(): Promise<void>;
}

/** Builds them: only tests that are not in `make test` need them. */
async function build(): Promise<void> {
  const own = path.join(settings.cacheDir, "go", "bin");
  await execa("go", ["build", "-trimpath", "-buildvcs=false", "-o", `${programs}/`, "tool"], {
    cwd: source,
    env: {
      CGO_ENABLED: "0",
      GOFLAGS: "",
      PATH: [own, process.env["PATH"] ?? ""].join(path.delimiter),
    },
  });
}

/**
 * Starts a server on a free port of this machine.
 *
 * @param port how it tells its port
 */
export async function startServer(
  program: string,
  args: readonly string[],
  port: RegExp,
): Promise<RunningServer> {
  await build();
  const server = execa(path.join(programs, program), args, { all: true, reject: false });
  let log = "";
  server.all.on("data", (chunk: Buffer) => {
    log += chunk.toString();
  });
  const stop = async () => {
    server.kill();
    await server;
  };
  const found = await until(
    `${program} to tell its port`,
    () => {
      const [, told] = port.exec(log) ?? [];
      if (told === undefined) throw new Error(log);
      return told;
    },
    { timeoutMs: 30_000 },
  );
  return { address: `127.0.0.1:${found}`, stop };
}

/** An S3 server with an empty bucket, in memory. */
export async function startS3(bucket: string): Promise<RunningServer> {
  const args = ["-backend", "memory", "-initialbucket", bucket, "-host", "127.0.0.1:0"];
  return startServer("gofakes3", args, /using port: (\d+)/);
}
