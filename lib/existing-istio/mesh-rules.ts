import { allOf } from "../enumerate.ts";
import { ISTIO_VERSIONS, isSupportedIstio } from "../istio-versions.ts";
import { isDnsLabel, SYSTEM_NAMESPACE } from "../names.ts";
import { differing, type IstioFinding, type IstioPlace, type WantedMesh } from "./finding.ts";
import { versionOf, type FoundIstio } from "./found.ts";

/** What must be the same in all clusters, and what the configuration may say of it. */
const COMMON: readonly {
  readonly key: "id" | "istioVersion" | "trustDomain" | "clusterDomain";
  readonly of: (found: FoundIstio) => string | undefined;
  readonly kind: IstioFinding["kind"];
}[] = [
  { key: "id", of: ({ meshId }) => meshId, kind: "problem" },
  { key: "istioVersion", of: versionOf, kind: "problem" },
  // Objects have these in them.
  { key: "trustDomain", of: ({ trustDomain }) => trustDomain, kind: "harm" },
  { key: "clusterDomain", of: ({ clusterDomain }) => clusterDomain, kind: "harm" },
];

/** Digits of a fingerprint that a message shows. */
const SHOWN = 16;

function rootsOf({ roots }: FoundIstio): string {
  const fingerprints = roots.map(({ fingerprint }) => fingerprint.slice(0, SHOWN));
  return fingerprints.length === 0 ? "none" : [...new Set(fingerprints)].sort().join(" + ");
}

/** The configuration says something else than a cluster. */
function againstConfig(wanted: WantedMesh, { cluster, path, found }: IstioPlace): IstioFinding[] {
  const common = COMMON.flatMap(({ key, of, kind }): IstioFinding[] => {
    const value = wanted[key];
    const is = of(found);
    return value === undefined || is === undefined || value === is
      ? []
      : [
          {
            kind,
            path: `mesh.${key}`,
            value,
            rule: `must be ${is}, which istiod of ${cluster.name} has`,
            fix: `Correct it, or leave it out. If another cluster is meant, correct ${path}.context.`,
          },
        ];
  });
  const name: IstioFinding[] =
    cluster.name === found.clusterId
      ? []
      : [
          {
            kind: "problem",
            path: `${path}.name`,
            value: cluster.name,
            rule: `must be ${found.clusterId}, the cluster's name in the mesh (CLUSTER_ID of Deployment ${found.deployment})`,
            fix: isDnsLabel(found.clusterId)
              ? `Correct it. If another cluster is meant, correct ${path}.context.`
              : "Have the owner give the cluster a name that is a DNS label (Helm value global.multiCluster.clusterName).",
          },
        ];
  const network: IstioFinding[] =
    cluster.network === undefined || cluster.network === found.network
      ? []
      : [
          {
            kind: "problem",
            path: `${path}.network`,
            value: cluster.network,
            rule: `must be ${found.network ?? "left out"}, as the label topology.istio.io/network of the system namespace says`,
            fix: "Correct it, or leave it out.",
          },
        ];
  return [...common, ...name, ...network];
}

/** What differs from cluster to cluster and must not. */
function differences(places: readonly IstioPlace[]): IstioFinding[] {
  const common = COMMON.flatMap(({ key, of, kind }): IstioFinding[] => {
    const values = differing(places, of);
    return values === undefined
      ? []
      : [
          {
            kind,
            path: `mesh.${key}`,
            rule: `must be the same in all clusters, but is ${values}`,
            fix: "Have the owner install the clusters as one mesh, or use other clusters.",
          },
        ];
  });
  const roots = differing(places, rootsOf);
  return [
    ...common,
    ...(roots === undefined
      ? []
      : [
          {
            kind: "problem" as const,
            path: "mesh.istio",
            rule: `must have the same root certificates in all clusters, but has ${roots} (SHA-256, in ConfigMap istio-ca-root-cert)`,
            fix: "Have the owner give all clusters intermediate certificates of one root.",
          },
        ]),
  ];
}

/** What this program needs of an istiod and its mesh config. */
function ofMeshConfig({ cluster: { name }, found }: IstioPlace): IstioFinding[] {
  const version = versionOf(found);
  const about = (isWrong: boolean, rule: string, fix: string): IstioFinding[] =>
    isWrong ? [{ kind: "problem", path: "mesh.istio", rule, fix }] : [];
  return [
    ...about(
      version !== undefined && !isSupportedIstio(version),
      `must be a version that this program supports, ${allOf(ISTIO_VERSIONS)}, but istiod of ${name} is ${version ?? ""}`,
      "Use a version of this program that supports it, or have the owner install a supported one.",
    ),
    ...about(
      !found.autoMtls,
      `must use mTLS without being told by rules, but the mesh config of ${name} says enableAutoMtls: false`,
      "Have the owner remove that.",
    ),
    ...about(
      found.hides.length > 0,
      `must let rules be for all namespaces, but the mesh config of ${name} says otherwise in ${allOf(found.hides)}`,
      'Have the owner remove it, or set it to ["*"].',
    ),
    ...about(
      found.hasMeshNetworks,
      `must have its networks in labels alone, but the mesh config of ${name} has meshNetworks`,
      "Have the owner label the system namespace and the east-west gateway with topology.istio.io/network instead.",
    ),
    ...about(
      "version" in found.running && found.running.authorityExpires === undefined,
      `must sign by a certificate authority from Secret cacerts, which ${name} does not have`,
      "Have the owner give all clusters intermediate certificates of one root in it.",
    ),
    ...(found.dnsCapture
      ? []
      : [
          {
            kind: "warning" as const,
            path: "mesh.istio",
            rule: `should let sidecars answer DNS: without it, clients in ${name} do not find hosts that name a cluster, such as shop.web.cluster-b.mesh`,
            fix: 'Have the owner set ISTIO_META_DNS_CAPTURE: "true" in defaultConfig.proxyMetadata, if these hosts are called.',
          },
        ]),
  ];
}

/** An istiod that does not answer, or does not know the pods of another cluster. */
function ofRunning(
  { cluster, path, found }: IstioPlace,
  places: readonly IstioPlace[],
): IstioFinding[] {
  const { running } = found;
  if ("silent" in running) {
    return [
      {
        kind: "problem",
        path: `${path}.context`,
        rule: `must lead to a cluster whose istiod answers, but that of ${cluster.name} does not: ${running.silent}`,
        fix: `See kubectl -n ${SYSTEM_NAMESPACE} get pods -l app=istiod.`,
      },
    ];
  }
  return places.flatMap((other): IstioFinding[] => {
    const status = running.reads[other.found.clusterId] ?? "unknown there";
    return status === "synced"
      ? []
      : [
          {
            kind: "problem",
            path,
            rule: `must have an istiod that reads ${other.found.clusterId}, but that of ${cluster.name} says that it is ${status}`,
            fix: "Have the owner give it a remote secret (istioctl create-remote-secret); see istioctl remote-clusters.",
          },
        ];
  });
}

/** mTLS is the owner's: what breaks calls between clusters is refused, what is weaker than STRICT is told. */
function ofMtls(
  { cluster: { name }, found: { peerAuthentications, rootNamespace } }: IstioPlace,
  { services }: WantedMesh,
): IstioFinding[] {
  const ours = [rootNamespace, ...services.map(({ namespace }) => namespace)];
  const off = peerAuthentications.filter(
    (each) => each.mode === "DISABLE" && ours.includes(each.namespace),
  );
  const isStrict = peerAuthentications.some(
    ({ namespace, isForPods, mode }) =>
      namespace === rootNamespace && !isForPods && mode === "STRICT",
  );
  return [
    ...off.map((each): IstioFinding => ({
      kind: "problem",
      path: "mesh.istio",
      rule: `must have mTLS, which PeerAuthentication ${each.name} of ${name} turns off: calls from other clusters come by mTLS alone`,
      fix: "Have the owner set its mode to STRICT or PERMISSIVE.",
    })),
    ...(isStrict
      ? []
      : [
          {
            kind: "warning" as const,
            path: "mesh.istio",
            rule: `should have strict mTLS, but no PeerAuthentication of the whole mesh says so in ${name}`,
            fix: `This program makes none. Have the owner add one to ${rootNamespace}, if no client calls in plain text.`,
          },
        ]),
  ];
}

/** What speaks against the mesh as a whole, and each cluster's part of it. */
export function meshFindings(
  wanted: WantedMesh,
  places: readonly IstioPlace[],
): readonly IstioFinding[] {
  return [
    ...differences(places),
    ...places.flatMap((place) => [
      ...againstConfig(wanted, place),
      ...ofMeshConfig(place),
      ...ofRunning(place, places),
      ...ofMtls(place, wanted),
    ]),
  ];
}
