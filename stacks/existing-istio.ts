import * as z from "zod";
import { ClusterClient } from "../fleet/cluster-client.ts";
import { findIstio } from "../fleet/existing-istio/find-istio.ts";
import { explain } from "../fleet/explain.ts";
import type { IstioFinding, IstioPlace, WantedMesh } from "../lib/existing-istio/finding.ts";
import {
  authorityExpiresOf,
  versionOf,
  type FoundIstio,
  type NoIstio,
} from "../lib/existing-istio/found.ts";
import {
  eastWestAddresses,
  eastWestPort,
  gatewayFindings,
} from "../lib/existing-istio/gateway-rules.ts";
import { meshFindings } from "../lib/existing-istio/mesh-rules.ts";
import { within } from "../lib/within.ts";
import { isBlank, type Loose } from "./checks.ts";
import { isExistingIstio } from "./existing-istio-checks.ts";
import type { MeshFacts } from "./mesh-stack.ts";
import { namesOf } from "./schema/away.ts";
import { schema, type Cluster, type Mesh } from "./schema.ts";

/** Longest wait for one answer of an API server, in milliseconds: a lower weight waits for it. */
const ANSWER_WITHIN_MS = 5_000;

/** Longest wait for all that is asked of a cluster, in milliseconds. */
const FOUND_WITHIN_MS = 10_000;

/** A cluster of the configuration, and what it has, if it could be read. */
interface Read {
  readonly cluster: Cluster;
  readonly path: string;
  readonly found: FoundIstio | NoIstio | undefined;
}

/** The mesh of an Istio that others have installed, as its clusters have it. */
export interface FoundMesh extends MeshFacts {
  readonly istio: "existing";
  /** @default no cluster could be read */
  readonly id: string | undefined;
  /** Whether all clusters are in one network, so that no host names one of them. */
  readonly oneNetwork: boolean;
  /** What speaks against it, with the cluster that could not be read. */
  readonly findings: readonly (IstioFinding & { readonly unread?: string | undefined })[];
}

/** What a value of the configuration is once it is read, if it is right by itself. */
function partsOf(raw: Loose) {
  const mesh = schema.mesh.unwrap().safeParse(raw["mesh"]).data;
  const clusters = schema.clusters.unwrap().safeParse(raw["clusters"]).data;
  const services = schema.services.safeParse(raw["services"]).data;
  const ingress = schema.ingress.safeParse(raw["ingress"]).data;
  return mesh && clusters && services && { mesh, clusters, services, gateway: ingress?.gateway };
}

/** What was found of a cluster, or a finding that tells why nothing was. */
async function read(
  cluster: Cluster,
  path: string,
  wanted: { readonly revision: string | undefined; readonly gateway: string | undefined },
): Promise<{ readonly read: Read; readonly findings: FoundMesh["findings"] }> {
  const at = { cluster, path };
  const harm = { kind: "harm" as const, path: `${path}.context`, value: cluster.context };
  try {
    const client = new ClusterClient({ ...cluster, answerWithinMs: ANSWER_WITHIN_MS });
    const late = `did not tell of its Istio within ${FOUND_WITHIN_MS / 1000} s`;
    const found = await within(FOUND_WITHIN_MS, findIstio(client, wanted), late);
    return { read: { ...at, found }, findings: "rule" in found ? [{ ...harm, ...found }] : [] };
  } catch (error) {
    const finding = {
      ...harm,
      rule: `must lead to a cluster whose Istio can be read, but ${cluster.name} says: ${explain(error)}`,
      fix: "Give the kubeconfig's user the rights that docs/permissions.md lists.",
      unread: cluster.name,
    };
    return { read: { ...at, found: undefined }, findings: [finding] };
  }
}

/** The facts of one cluster, as stacks tell each other of theirs. */
function factsOf({ found, ...place }: IstioPlace): MeshFacts["clusters"][string] {
  return {
    network: found.network ?? "",
    istioVersion: versionOf(found) ?? "",
    caExpires: authorityExpiresOf(found) ?? "",
    gateways: {
      eastWest: [...eastWestAddresses({ found, ...place })],
      ingress: [...found.ingressAddresses],
    },
    revision: found.revision,
    traffic: {},
  };
}

/**
 * What the configuration says of the mesh itself; a default says nothing.
 *
 * @param written the key as it was written
 */
function wantedMesh(
  written: Loose,
  { id, istioVersion, trustDomain, clusterDomain }: Mesh,
  rest: Pick<WantedMesh, "clusters" | "gateway" | "services">,
): WantedMesh {
  return {
    id,
    istioVersion,
    trustDomain: written["trustDomain"] === undefined ? undefined : trustDomain,
    clusterDomain: written["clusterDomain"] === undefined ? undefined : clusterDomain,
    ...rest,
  };
}

/** What a complete update has said of clusters, as far as it tells whether and how they reach each other. */
const said = z.record(
  z.string(),
  z
    .looseObject({
      network: z.string(),
      gateways: z.looseObject({ eastWestPort: z.number().optional() }).optional(),
    })
    .optional()
    .catch(undefined),
);

/**
 * Reads the mesh that others have installed from the clusters, if the configuration says that they have. What could not
 * be read, and what speaks against it, is part of the result. Clusters that are away are not asked: their networks, and
 * the ports of their gateways, are those of the last complete update.
 *
 * @param raw values by key, without the project's name
 * @param lastClusters the stack's output `clusters`, as that update has left it
 * @returns undefined also if the configuration is wrong: its other checks tell
 */
export async function findMesh(
  raw: Loose,
  lastClusters: () => Promise<unknown>,
): Promise<FoundMesh | undefined> {
  const parts = isExistingIstio(raw) ? partsOf(raw) : undefined;
  if (!parts) return undefined;
  const { mesh, gateway, services } = parts;
  const kubeconfig = isBlank(raw["kubeconfig"])
    ? undefined
    : schema.kubeconfig.safeParse(raw["kubeconfig"]).data;
  const clusters = parts.clusters.map((cluster) => ({
    ...cluster,
    kubeconfig: cluster.kubeconfig ?? kubeconfig,
  }));
  const away = namesOf(schema.away.safeParse(raw["away"]).data ?? []);
  const all = await Promise.all(
    clusters.flatMap((cluster, i) =>
      away.includes(cluster.name)
        ? []
        : [read(cluster, `clusters[${i}]`, { revision: mesh.revision, gateway })],
    ),
  );
  const places = all.flatMap(({ read: { found, ...at } }): IstioPlace[] =>
    found === undefined || "rule" in found ? [] : [{ ...at, found }],
  );
  const wanted = wantedMesh(raw["mesh"] as Loose, mesh, { clusters, gateway, services });
  const known = away.length === 0 ? {} : (said.safeParse(await lastClusters()).data ?? {});
  const networks = [
    ...places.map(({ found }) => found.network ?? ""),
    ...away.flatMap((name) => known[name]?.network ?? []),
  ];
  const [first] = places;
  const roots = places.flatMap(({ found }) => found.roots.map(({ expires }) => expires)).sort();
  return {
    istio: "existing",
    id: first?.found.meshId ?? mesh.id,
    oneNetwork: networks.length === clusters.length && new Set(networks).size === 1,
    findings: [
      ...all.flatMap(({ findings }) => findings),
      ...meshFindings(wanted, places),
      ...gatewayFindings(wanted, places),
    ],
    mesh: {
      trustDomain: first?.found.trustDomain ?? mesh.trustDomain,
      clusterDomain: first?.found.clusterDomain ?? mesh.clusterDomain,
      env: mesh.env,
      ownPrometheus: false,
      clusters: clusters.map((cluster) => {
        const place = places.find((each) => each.cluster.name === cluster.name);
        const last = known[cluster.name]?.gateways?.eastWestPort;
        return {
          ...cluster,
          eastWestPort: place ? eastWestPort(place) : (cluster.eastWestPort ?? last),
        };
      }),
      ...(gateway !== undefined && { ingress: { gateway, freeHosts: [] } }),
    },
    rootCaExpires: roots[0] ?? "",
    clusters: Object.fromEntries(places.map((place) => [place.cluster.name, factsOf(place)])),
  };
}
