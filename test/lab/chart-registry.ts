import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";

import { selfSigned } from "../helpers/self-signed.ts";
import { startServer } from "./servers.ts";

/** An OCI registry with Istio's charts. */
export interface ChartRegistry {
  /** URL of the part of it that has the charts. */
  readonly repository: string;
  /** Digest of each chart. */
  readonly digests: Readonly<Record<string, string>>;
  /** File with the authority behind its certificate. */
  readonly authority: string;
  /** Who may read it, and the password; nobody else is answered. */
  readonly username: string;
  readonly password: string;
  /** Charts that have been read since it was filled, by name and by digest. */
  readonly read: ReadonlySet<string>;
  stop(): Promise<void>;
}

/**
 * Starts a registry and pushes packaged charts to it. Helm asks registries by HTTPS alone, and one that is private
 * asks who reads it, neither of which this one does: a server in front of it does.
 *
 * @param env with helm on the PATH
 * @param charts folder with the charts
 */
export async function startChartRegistry(
  env: Readonly<Record<string, string>>,
  charts: string,
): Promise<ChartRegistry> {
  const registry = await startServer("registry", ["-port", "0"], /serving on port (\d+)/);
  const folder = await mkdtemp(path.join(tmpdir(), "chart-registry-"));
  const authority = path.join(folder, "authority.pem");
  const { certificate, key } = await selfSigned();
  await writeFile(authority, certificate);

  const digests: Record<string, string> = {};
  for (const file of (await readdir(charts)).filter((name) => name.endsWith(".tgz"))) {
    const to = `oci://${registry.address}/istio`;
    const pushed = await execa("helm", ["push", "--plain-http", path.join(charts, file), to], {
      ...{ env, all: true },
    });
    const [, chart = ""] = /^(.+?)-\d/.exec(file) ?? [];
    digests[chart] = /^Digest: (sha256:[0-9a-f]{64})$/m.exec(pushed.all)?.[1] ?? "";
  }

  const username = "istio-canary";
  const password = randomUUID();
  const reader = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  const read = new Set<string>();
  const server = createServer({ cert: certificate, key }, (incoming, outgoing) => {
    const { method, url = "", headers } = incoming;
    if (headers.authorization !== reader) {
      outgoing.writeHead(401, { "www-authenticate": 'Basic realm="charts"' }).end();
      return;
    }
    const [, manifest] = /^\/v2\/istio\/(.+\/manifests\/.+)$/.exec(url) ?? [];
    if (method === "GET" && manifest !== undefined) read.add(manifest.replace("/manifests/", "@"));
    const asked = request(`http://${registry.address}${url}`, { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    asked.on("error", () => outgoing.destroy());
    incoming.pipe(asked);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    repository: `oci://127.0.0.1:${(server.address() as AddressInfo).port}/istio`,
    digests,
    authority,
    username,
    password,
    read,
    async stop() {
      server.closeAllConnections();
      server.close();
      await registry.stop();
      await rm(folder, { recursive: true });
    },
  };
}
