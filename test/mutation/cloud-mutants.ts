import type { Mutant } from "./mutants.ts";

const values = ["test/unit/stacks/cluster-values.test.ts"];
const ports = ["test/unit/stacks/gateway-ports.test.ts"];
const content = ["test/unit/stacks/kubeconfig-content.test.ts"];
const reach = ["test/unit/fleet/cluster-kubeconfig.test.ts"];

/** How clusters of any cloud are reached, and what their gateways open. */
export const cloudMutants: readonly Mutant[] = [
  {
    removes: "an east-west gateway reads no Secret",
    file: "lib/helm-values.ts",
    text: "rbac: { enabled: false },",
    replacement: "",
    tests: values,
  },
  {
    removes: "a cluster's own values",
    file: "stacks/mesh.ts",
    text: ", cluster.values?.[gateway] ?? {});",
    replacement: ");",
    tests: values,
  },
  {
    removes: "no standard is enforced that refuses the sidecars",
    file: "stacks/existing-istio-checks.ts",
    text: 'isBlank(keysOf(mesh)["cni"])',
    replacement: "false",
    tests: values,
  },
  {
    removes: "no standard is enforced that refuses the init containers of an agent that leaves",
    file: "stacks/existing-istio-checks.ts",
    text: "enabled === false",
    replacement: "false",
    tests: values,
  },
  {
    removes: "a gateway's host name is resolved by the proxies",
    file: "components/gateway-endpoints.ts",
    text: '? "STATIC" : "DNS"',
    replacement: '? "STATIC" : "STATIC"',
    tests: ["test/unit/components/gateway-endpoints.test.ts"],
  },
  {
    removes: "istiods are told at which port a gateway is reached",
    file: "lib/helm-values.ts",
    text: "labels: { [GATEWAY_PORT_LABEL]: String(port) }",
    replacement: "",
    tests: ports,
  },
  {
    removes: "hosts that name a cluster lead to the port of its gateway",
    file: "components/gateway-endpoints.ts",
    text: "[port, gatewayPort]",
    replacement: "[port, 15443]",
    tests: ports,
  },
  {
    removes: "a gateway on another port is tried before a rise, too",
    file: "fleet/checks/gateways.ts",
    text: "ports.includes(port)",
    replacement: "port === 15443",
    tests: ["test/unit/fleet/checks.test.ts"],
  },
  {
    removes: "no redirect leads to a port at which nothing listens",
    file: "stacks/ingress-checks.ts",
    text: "(http !== 80 || https !== 443)",
    replacement: "false",
    tests: ports,
  },
  {
    removes: "another URL of a cluster replaces nothing",
    file: "stacks/cluster-provider.ts",
    text: "clusterIdentifier: name,",
    replacement: "",
    tests: ["test/unit/stacks/cluster-provider.test.ts"],
  },
  {
    removes: "a kubeconfig's content is a secret in the state",
    file: "stacks/cluster-provider.ts",
    text: "pulumi.secret(file)",
    replacement: "file",
    tests: content,
  },
  {
    removes: "a kubeconfig's content is in no output",
    file: "stacks/mesh-stack.ts",
    text: "&& !isContent(kubeconfig)",
    replacement: "",
    tests: content,
  },
  {
    removes: "a kubeconfig's content is encrypted",
    file: "stacks/misplaced-secrets.ts",
    text: "&& !isSecret",
    replacement: "&& false",
    tests: content,
  },
  {
    removes: "a program for credentials runs once for all clients",
    file: "fleet/exec-credentials.ts",
    text: "all.get(name) ??",
    replacement: "",
    tests: reach,
  },
  {
    removes: "credentials that are not taken are asked for again",
    file: "fleet/cluster-client.ts",
    text: "if (response.httpStatusCode === 401) this.kubeConfig.forgetCredentials();",
    replacement: "",
    tests: reach,
  },
  {
    removes: "each group of an impersonated user has a header of its own",
    file: "fleet/cluster-kubeconfig.ts",
    text: "if (dispatcher) context.setDispatcher(dispatcher);",
    replacement: "",
    tests: reach,
  },
  {
    removes: "nothing of a kubeconfig that cannot be parsed is in an error",
    file: "fleet/kubeconfig.ts",
    text: "    throw noKubeconfig(kubeconfig);\n  }\n}\n",
    replacement: "    throw error;\n  }\n}\n",
    tests: ["test/unit/fleet/kubeconfig.test.ts"],
  },
  {
    removes: "no server without a scheme reaches the other clusters",
    file: "fleet/kubeconfig.ts",
    text: "    requireServer(cluster);",
    replacement: "",
    tests: ["test/unit/fleet/kubeconfig.test.ts"],
  },
  {
    removes: "what a kubeconfig says of a user is refused by the key of the cluster",
    file: "stacks/api-servers.ts",
    text: "    new ClusterKubeConfig(context, file ?? listedKubeconfig(context));",
    replacement: "",
    tests: ["test/unit/stacks/kubeconfig-content.test.ts"],
  },
  {
    removes: "the content of a kubeconfig is refused where nothing encrypts it",
    file: "stacks/checks.ts",
    text: "    ...contentInClusters(clusters),",
    replacement: "",
    tests: ["test/unit/stacks/kubeconfig-content.test.ts"],
  },
  {
    removes: "commands in messages have no content of a kubeconfig",
    file: "stacks/interrupted-releases.ts",
    text: 'kubeconfig: isHidden ? "FILE" : kubeconfig',
    replacement: "kubeconfig",
    tests: ["test/unit/stacks/interrupted-releases.test.ts"],
  },
  {
    removes: "a program for credentials that hangs is waited for once",
    file: "fleet/exec-credentials.ts",
    text: "if (error instanceof NotInTime) this.#until = Date.now() + LATE_MS;",
    replacement: "if (error instanceof NotInTime) this.forget();",
    tests: reach,
  },
];
