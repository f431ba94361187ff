import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, vi } from "vitest";
import * as z from "zod";
import type { DeployedCluster } from "../../lib/deployed.ts";
import { serviceKey } from "../../lib/names.ts";
import { foundRoute } from "../../lib/routing/istio/route-content.ts";
import {
  typeOf,
  type Placeholders,
  type RecordedResource,
  type RecordedStack,
} from "../../scripts/recorded-stack.ts";
import { kubeconfigText } from "./fake-api-server.ts";
import { configure, recordProgram } from "./mocks.ts";
import { mockReads } from "./run-program.ts";
import type { Run } from "./upgrade.ts";

/** Files that a stack's config names, of the test file that imports this one. */
const folder = mkdtempSync(path.join(tmpdir(), "recorded-program-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const kubeconfig = path.join(folder, "kubeconfig");
const charts = path.join(folder, "charts");

/** What a recording has instead of the paths that the program gets here. */
export const PLACEHOLDERS: Placeholders = { [kubeconfig]: "kubeconfig", [charts]: "charts" };

const clustersWithContexts = z.array(z.looseObject({ context: z.string() }));
/** The config of a stack that installs its mesh. */
const configWithMesh = z.looseObject({
  clusters: clustersWithContexts,
  mesh: z.looseObject({ istioVersion: z.string() }),
});
/** What the reference of a release stack tells of the mesh's stack. */
const reference = z.looseObject({
  outputs: z.looseObject({ mesh: z.looseObject({ clusters: clustersWithContexts }) }),
});

function writeKubeconfig(clusters: z.infer<typeof clustersWithContexts>): void {
  const servers = clusters.map(
    ({ context }) => [context, `https://${context}.example.com:6443`] as const,
  );
  writeFileSync(kubeconfig, kubeconfigText(Object.fromEntries(servers)));
}

/** The recorded config, with files in the place of those that the stack had. */
function configOf({ config }: RecordedStack): Readonly<Record<string, unknown>> {
  if ("meshStack" in config) return config;
  const { clusters, mesh } = configWithMesh.parse(config);
  writeKubeconfig(clusters);
  mkdirSync(charts, { recursive: true });
  for (const chart of ["base", "istiod", "gateway"]) {
    writeFileSync(path.join(charts, `${chart}-${mesh.istioVersion}.tgz`), "");
  }
  return {
    ...config,
    kubeconfig,
    mesh: { ...mesh, ...("charts" in mesh && { charts: { directory: charts } }) },
  };
}

/** What the program reads of a recorded resource, with files in the place of those that the stack had. */
function stateOf({ urn, state = {} }: RecordedResource): Readonly<Record<string, unknown>> {
  if (typeOf(urn) !== "pulumi:pulumi:StackReference") return state;
  const { outputs } = reference.parse(state);
  const { mesh } = outputs;
  writeKubeconfig(mesh.clusters);
  const clusters = mesh.clusters.map((cluster) => ({ ...cluster, kubeconfig }));
  return { ...state, outputs: { ...outputs, mesh: { ...mesh, clusters } } };
}

const route = z.looseObject({
  metadata: z.looseObject({ name: z.string(), namespace: z.string() }),
});

/** What a cluster of the recorded stack routes. */
export function deployedIn({ resources }: RecordedStack, cluster: string): DeployedCluster {
  const routes = resources
    .filter(({ urn, provider }) => provider === cluster && urn.includes(":VirtualService::"))
    .map(({ inputs }) => {
      const { metadata, ...rest } = route.parse(inputs);
      const live = { ...rest, metadata: { ...metadata, generation: 1 } };
      const { route: found, ...name } = foundRoute(live);
      return [serviceKey(name), { ...found, images: {} }] as const;
    });
  return { name: cluster, unreachable: undefined, routes: new Map(routes) };
}

/** Runs the program with the recorded config. Its reads of clusters must be mocked by `deployedIn`. */
export async function runRecorded(recorded: RecordedStack): Promise<Run> {
  const states = new Map(
    recorded.resources.map((resource) => [resource.urn.split("$").at(-1), stateOf(resource)]),
  );
  const program = await recordProgram(
    {},
    undefined,
    (type, name) => states.get(`${type}::${name}`) ?? {},
  );
  configure(configOf(recorded));
  vi.resetModules();
  mockReads();
  const outputs = await pulumi.runtime.runInPulumiStack(() => import("../../index.ts"));
  await program.settle();
  return { resources: program.resources, outputs: outputs as Record<string, unknown> };
}
