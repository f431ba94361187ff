/** A rule of a ClusterRole: what a user may do. */
export interface Right {
  /** API group; that of core is empty. */
  readonly group: string;
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  /** Names of the objects that it is for. @default all */
  readonly names?: readonly string[];
  /** What it is for. */
  readonly for: string;
}

/** A ClusterRole that a release needs. */
export interface ReleaseRole {
  readonly name: string;
  /** Where it is bound, as a sentence. */
  readonly bound: string;
  readonly rights: readonly Right[];
}

const ISTIO = "networking.istio.io";
const ROUTING = ["virtualservices", "destinationrules", "serviceentries"];
/** What Pulumi needs to keep an object. */
const KEEP = ["get", "list", "watch", "create", "patch", "delete"];
const READ = ["get", "list", "watch"];

/** What a release needs of the whole cluster: it asks every Envoy, and compares with what others have. */
const OF_THE_CLUSTER: readonly Right[] = [
  {
    group: "",
    resources: ["namespaces"],
    verbs: ["get"],
    for: "the API server answers, the clocks agree; whether Pulumi's namespaces are there",
  },
  { group: "", resources: ["pods"], verbs: ["list"], for: "finding every Envoy, and istiod" },
  {
    group: "",
    resources: ["pods/portforward"],
    // A WebSocket is authorized by get; newer API servers also ask for create.
    verbs: ["get", "create"],
    for: "asking Envoys, istiod and Prometheus",
  },
  {
    group: "",
    resources: ["configmaps"],
    names: ["istio-ca-root-cert"],
    verbs: ["get"],
    for: "the root certificates",
  },
  {
    group: ISTIO,
    resources: ROUTING,
    verbs: ["list"],
    for: "weights, hosts that others serve, proof of a rollback, drift in status",
  },
  {
    group: ISTIO,
    resources: ["gateways"],
    verbs: ["get"],
    for: "that Gateways of your own serve the hosts",
  },
];

/** What a release needs in the namespaces of its services. */
const OF_SERVICES: readonly Right[] = [
  {
    group: "",
    resources: ["serviceaccounts", "services"],
    verbs: KEEP,
    for: "Pulumi; what others have there",
  },
  {
    group: "apps",
    resources: ["deployments"],
    verbs: KEEP,
    for: "Pulumi; the versions' pods and images, what others have there",
  },
  { group: "policy", resources: ["poddisruptionbudgets"], verbs: KEEP, for: "Pulumi" },
  {
    group: ISTIO,
    resources: ROUTING,
    verbs: KEEP,
    for: "Pulumi; reading and writing weights, the dry run",
  },
  {
    group: "",
    resources: ["pods", "events", "endpoints", "persistentvolumeclaims"],
    verbs: READ,
    for: "Pulumi, while it waits",
  },
  { group: "apps", resources: ["replicasets"], verbs: READ, for: "Pulumi, while it waits" },
  {
    group: "discovery.k8s.io",
    resources: ["endpointslices"],
    verbs: READ,
    for: "Pulumi, while it waits",
  },
  {
    group: "",
    resources: ["pods/exec"],
    verbs: ["get", "create"],
    for: "the check that the other clusters' gateways can be reached, tried from a pod there",
  },
  {
    group: "autoscaling",
    resources: ["horizontalpodautoscalers"],
    verbs: ["list"],
    for: "whether an autoscaler may add the pods that a canary lacks; without it, only pods count",
  },
  {
    group: "apps",
    resources: ["controllerrevisions"],
    verbs: ["list", "create", "update", "delete"],
    for: "records",
  },
  {
    group: "",
    resources: ["configmaps"],
    names: ["istio-canary-rollout"],
    // An apply creates what is not there yet.
    verbs: ["get", "patch", "create"],
    for: "the release command's notes, and what has taken a canary back; without it, an update warns and does not see that",
  },
  {
    group: "coordination.k8s.io",
    resources: ["leases"],
    verbs: ["create"],
    for: "`release rollout`",
  },
  {
    group: "coordination.k8s.io",
    resources: ["leases"],
    names: ["istio-canary-rollout-STACK"],
    verbs: ["get", "update", "delete"],
    for: "`release rollout`; STACK is the stack's name",
  },
  {
    group: "",
    resources: ["events"],
    verbs: ["create"],
    for: "Kubernetes Events of a rollout; without it, a warning",
  },
];

/**
 * All that a pipeline needs to change the weights of services that are installed, and to release new versions of them:
 * for previews, `pulumi up` and the release command.
 */
export const releaseRoles: readonly ReleaseRole[] = [
  {
    name: "istio-canary-fleet",
    bound: "in the cluster, by a ClusterRoleBinding",
    rights: OF_THE_CLUSTER,
  },
  {
    name: "istio-canary-services",
    bound: "in each namespace of the stack's services, by a RoleBinding",
    rights: OF_SERVICES,
  },
];

/** Not needed by a preview: no Envoy is asked, no check is run, and no lease taken. */
const NO_PREVIEW = ["pods/portforward", "pods/exec", "leases"];

/** The same without what changes anything. */
function readOnly(rights: readonly Right[]): readonly Right[] {
  return rights
    .filter(({ resources }) => !resources.some((each) => NO_PREVIEW.includes(each)))
    .map((right) => ({ ...right, verbs: right.verbs.filter((verb) => READ.includes(verb)) }))
    .filter(({ verbs }) => verbs.length > 0);
}

/** All that a preview needs, and `release weight` before it. None of it changes anything. */
export const previewRoles: readonly ReleaseRole[] = [
  {
    name: "istio-canary-preview-fleet",
    bound: "in the cluster, by a ClusterRoleBinding",
    rights: readOnly(OF_THE_CLUSTER),
  },
  {
    name: "istio-canary-preview-services",
    bound: "in each namespace of the stack's services, by a RoleBinding",
    rights: readOnly(OF_SERVICES),
  },
];

/** A role as Kubernetes has it. */
export function clusterRole({ name, rights }: ReleaseRole) {
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    metadata: { name },
    rules: rights.map(({ group, resources, verbs, names }) => ({
      apiGroups: [group],
      resources: [...resources],
      ...(names && { resourceNames: [...names] }),
      verbs: [...verbs],
    })),
  };
}
