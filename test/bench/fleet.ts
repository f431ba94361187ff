import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { Command } from "commander";
import * as z from "zod";
import { subsets } from "../../fleet/checks/subsets.ts";
import { ClusterClient } from "../../fleet/cluster-client.ts";
import { confirmWeights } from "../../fleet/confirm.ts";
import { textTable } from "../../lib/table.ts";
import { checkLimits } from "../helpers/check-limits.ts";
import { kubeconfigText } from "../helpers/fake-api-server.ts";
import { serviceNames, type FleetSize } from "./fleet/servers.ts";
import { positive } from "./positive.ts";

const calls = z.array(z.object({ lists: z.number(), forwards: z.number() }));

/** Long: the simulated servers share one process. */
const ANSWER_WITHIN_MS = 600_000;

interface Options extends FleetSize {
  readonly askEnvoys: number;
}

/**
 * Measures the two parts of a raise that ask proxies, in all clusters at once. The memory is what they take at most
 * beyond what the program has when it is loaded.
 */
async function measure({ askEnvoys, ...size }: Options): Promise<readonly string[]> {
  const servers = fork(path.join(import.meta.dirname, "fleet/serve.ts"), [JSON.stringify(size)]);
  const dir = await mkdtemp(path.join(os.tmpdir(), "bench-fleet-"));
  try {
    const [urls] = (await once(servers, "message")) as [readonly string[]];
    const kubeconfig = path.join(dir, "kubeconfig");
    const names = urls.map((_, i) => `cluster-${i}`);
    await writeFile(
      kubeconfig,
      kubeconfigText(Object.fromEntries(urls.map((url, i) => [`cluster-${i}`, url]))),
    );
    const clusters = names.map(
      (name) =>
        new ClusterClient({ name, context: name, kubeconfig, answerWithinMs: ANSWER_WITHIN_MS }),
    );
    const canaries = serviceNames(size.services).map((service) => {
      const host = `${service}.user.svc.cluster.local`;
      return { service, namespace: "user", canary: "v2", weight: 10, host, hosts: [host] };
    });
    const limits = { ...checkLimits, askEnvoys };
    const loaded = process.resourceUsage().maxRSS;
    const before = process.cpuUsage();
    const began = performance.now();
    const findings = await Promise.all(
      clusters.map((cluster) => subsets.run({ cluster, clusters, rises: [], canaries, limits })),
    );
    const checked = performance.now();
    const confirmed = await Promise.all(
      clusters.map((cluster) =>
        confirmWeights(cluster, canaries, { timeoutMs: 600_000, askEnvoys }),
      ),
    );
    const ended = performance.now();
    const { user, system } = process.cpuUsage(before);
    servers.send("calls");
    const [counted] = (await once(servers, "message")) as [unknown];
    const all = calls.parse(counted);
    const sum = (of: readonly number[]) => of.reduce((total, each) => total + each, 0);
    return [
      `${size.clusters} × ${size.proxies} × ${size.services}`,
      findings.flat().length === 0 ? "none" : String(findings.flat().length),
      String(sum(confirmed.map(({ routes }) => routes[0]?.length ?? 0))),
      String(sum(confirmed.map(({ acknowledged }) => acknowledged))),
      `${((checked - began) / 1000).toFixed(1)} s`,
      `${((ended - checked) / 1000).toFixed(1)} s`,
      `${((user + system) / 1e6).toFixed(1)} s`,
      `${Math.round((process.resourceUsage().maxRSS - loaded) / 1024)} MiB`,
      String(sum(all.map(({ lists }) => lists))),
      String(sum(all.map(({ forwards }) => forwards))),
    ];
  } finally {
    servers.kill();
    await rm(dir, { recursive: true });
  }
}

const program = new Command("bench:fleet")
  .description("measures what a raise asks of a simulated fleet")
  .option("--clusters <n>", "clusters", positive, 10)
  .option("--proxies <n>", "proxies of each", positive, 2000)
  .option("--services <n>", "services, each with a canary", positive, 100)
  .option("--istiods <n>", "istiods of each cluster", positive, 3)
  .option("--ask-envoys <n>", "safety.askEnvoys", positive, checkLimits.askEnvoys)
  .parse();

const table = textTable([
  ...["clusters × proxies × services", "findings", "asked", "acknowledged"],
  ...["subsets", "confirmation", "CPU", "memory", "lists of pods", "port-forwards"],
]);
table.push([...(await measure(program.opts<Options>()))]);
console.log(table.toString());
console.log(`${os.availableParallelism()} cores, ${Math.round(os.totalmem() / 2 ** 30)} GiB`);
