import { describe, expect, it } from "vitest";
import { problemLine } from "../../../lib/problems.ts";
import { parseConfig } from "../../../stacks/config.ts";
import { schema } from "../../../stacks/schema.ts";
import { rawConfig, type ConfigOptions } from "../../helpers/fixtures.ts";

type Raw = ReturnType<typeof rawConfig>;
type Change = (raw: Raw) => Record<string, unknown>;

function lines(change: Change, options?: ConfigOptions): string[] {
  const raw = rawConfig(options);
  return parseConfig({ ...raw, ...change(raw) }).problems.map((problem) => problemLine(problem));
}
const cluster = (i: number, more: object): Change => {
  return ({ clusters }) => ({
    clusters: clusters.map((known, j) => (i === j ? { ...known, ...more } : known)),
  });
};
const service = (more: object): Change => {
  return ({ services }) => ({ services: services.map((known) => ({ ...known, ...more })) });
};
const version = (name: string, more: object = {}) => ({
  version: name,
  image: "registry.example.com/user-service:v9",
  ...more,
});

describe("the configuration", () => {
  it("is complete with what Pulumi.prod.yaml gives", () => {
    const { settings, problems } = parseConfig(rawConfig());
    expect(problems).toEqual([]);
    expect(settings).toMatchObject({
      mesh: { trustDomain: "cluster.local", clusterDomain: "cluster.local", env: "prod" },
      clusters: [{ server: { server: "https://a.example.com:6443" } }, {}],
      certificates: { rotation: "1", rootDays: 3650, intermediateDays: 365 },
      services: [
        {
          timeout: "10s",
          stable: { replicas: 5 },
          canary: { replicas: 5 },
          ingressHosts: ["user-service.example.com"],
        },
      ],
      phases: [10, 30, 100],
      weight: 10,
    });
  });

  it.each(Object.keys(schema))("reads and checks %s", (key) => {
    const { problems } = parseConfig({ ...rawConfig(), [key]: { "no such": ["value"] } });
    const ofKey = new RegExp(`^${key}(?:$|[.[])`);
    expect(problems.filter(({ path }) => ofKey.test(path))).not.toEqual([]);
  });

  it("takes Pulumi's empty defaults for keys that are left out", () => {
    const raw = { ...rawConfig(), certificates: {}, ingress: {} };
    const { settings, problems } = parseConfig(raw);
    expect(problems).toEqual([]);
    expect(settings).toMatchObject({ ingress: undefined });
  });

  it.each<[string, Change, RegExp, ConfigOptions?]>([
    [
      "a weight that is no whole number",
      () => ({ weight: 9.5 }),
      /^ - weight: must be a whole number from 0 to 100, got 9\.5\. /,
    ],
    [
      "a weight above 100",
      () => ({ weight: 130 }),
      /^ - weight: must be a whole number from 0 to 100, got 130\. /,
    ],
    [
      "a weight that is text",
      () => ({ weight: "ten" }),
      /^ - weight: must be a number, got "ten"\. Write a number/,
    ],
    [
      "a weight that is no phase",
      () => ({ weight: 25 }),
      /^ - weight: must be 0 or one of the phases 10, 30, 100, got 25\. Set it with: pulumi config set weight 10$/,
    ],
    [
      "phases that do not rise",
      () => ({ phases: [30, 10, 100] }),
      /^ - phases: must be whole numbers from 1 to 100 that rise from one to the next and end at 100, got \[30,10,100\]\. /,
    ],
    [
      "phases that do not end at 100",
      () => ({ phases: [10, 30] }),
      /^ - phases: must be whole numbers/,
    ],
    [
      "quarantine of what is no cluster",
      () => ({ quarantine: ["cluster-z"] }),
      /^ - quarantine\[0\]: must be the name of a cluster, got "cluster-z"\. Name one of cluster-a, cluster-b, or: pulumi config rm --path 'quarantine\[0\]'$/,
    ],
    [
      "quarantine of one cluster twice",
      () => ({ quarantine: ["cluster-b", "cluster-b"] }),
      /^ - quarantine\[1\]: must name each cluster once \(same as quarantine\[0\]\)/,
    ],
    [
      "quarantine of all clusters",
      () => ({ quarantine: ["cluster-b", "cluster-a"] }),
      /^ - quarantine: must leave out at least one cluster, .* pulumi config set weight 0$/,
    ],
    [
      "that what is no cluster is away",
      () => ({ away: ["cluster-z"] }),
      /^ - away\[0\]: must be the name of a cluster, got "cluster-z"\. Name one of cluster-a, cluster-b, or: pulumi config rm --path 'away\[0\]'$/,
    ],
    [
      "that one cluster is away twice",
      () => ({ away: ["cluster-b", "cluster-b"] }),
      /^ - away\[1\]: must name each cluster once \(same as away\[0\]\)/,
    ],
    [
      "that all clusters are away",
      () => ({ away: ["cluster-b", "cluster-a"] }),
      /^ - away: must leave out at least one cluster, which is not in quarantine either, got \["cluster-b","cluster-a"\]\. An update without any cluster has nothing to do: wait until one is back\.$/,
    ],
    [
      "that one is away and the other one in quarantine",
      () => ({ away: ["cluster-b"], quarantine: ["cluster-a"] }),
      /^ - away: must leave out at least one cluster, which is not in quarantine either, /,
    ],
    [
      "a cluster that is away and in quarantine",
      () => ({ away: ["cluster-b"], quarantine: ["cluster-b"] }),
      /^ - away\[0\]: must not be in quarantine too: nothing is written in a cluster that is away, so it keeps the weight that it has, got "cluster-b"\. Take it out of quarantine: pulumi config rm --path 'quarantine\[0\]'$/,
    ],
    [
      "a cluster that is drained though the stack has no services",
      () => ({ away: [{ name: "cluster-b", drain: true }], services: [], weight: 0 }),
      /^ - away\[0\]\.drain: must be false in a stack without services: whether the other clusters have the pods for those of other stacks is not known here, got true\. Leave the cluster as it is: pulumi config set --path 'away\[0\]\.drain' false$/,
    ],
    [
      "a misspelt key of a cluster that is away",
      () => ({ away: [{ name: "cluster-b", drained: true }] }),
      /^ - away\[0\]\.drained: is not a configuration key\. Did you mean drain\?/,
    ],
    ["no phases", () => ({ phases: [], weight: 0 }), /^ - phases: must be whole numbers/],
    [
      "one cluster",
      () => ({}),
      /^ - clusters: must list at least two clusters, got \["cluster-a"\]\. Add another/,
      { clusters: 1 },
    ],
    [
      "a cluster twice",
      cluster(1, { name: "cluster-a" }),
      /^ - clusters\[1\]\.name: must name each cluster once \(same as clusters\[0\]\.name\), got "cluster-a"\. /,
    ],
    [
      "two networks that are said to be one",
      ({ mesh }) => ({ mesh: { ...mesh, oneNetwork: true } }),
      /^ - clusters\[1\]\.network: must be the network of all clusters, as mesh\.oneNetwork says: .+, got "network-b"\. Write network-a, or remove/,
    ],
    [
      "a gateway's address where there is none",
      (raw) => ({
        ...cluster(0, { eastWestAddresses: ["203.0.113.7"] })({
          ...raw,
          clusters: raw.clusters.map((each) => ({ ...each, network: "network-a" })),
        }),
        mesh: { ...raw.mesh, oneNetwork: true },
      }),
      /^ - clusters\[0\]\.eastWestAddresses: must be left out with mesh\.oneNetwork: /,
    ],
    [
      "a network twice",
      cluster(1, { network: "network-a" }),
      /^ - clusters\[1\]\.network: must be a network that no other cluster has .+ got "network-a"\. /,
    ],
    [
      "a cluster name that is no label",
      cluster(1, { name: "Cluster_B" }),
      /^ - clusters\[1\]\.name: must be a DNS label: .+, got "Cluster_B"\. For example: cluster-a\.$/,
    ],
    [
      "a context that is not there",
      cluster(1, { context: "prod-x" }),
      /^ - clusters\[1\]\.context: must be a context of the kubeconfig: no such context in .+, only prod-a, prod-b, prod-c, local, got "prod-x"\. /,
    ],
    [
      "a kubeconfig that is not there",
      cluster(1, { kubeconfig: "/nowhere/config" }),
      /^ - clusters\[1\]\.context: must be a context of the kubeconfig: ENOENT.+\/nowhere\/config/,
    ],
    [
      "an API server that others cannot reach",
      cluster(1, { context: "local" }),
      /^ - clusters\[1\]\.apiServer: must be an address that other clusters can reach.+, got "https:\/\/127\.0\.0\.1:6443"\. /,
    ],
    [
      "an API server that only pods of its own cluster reach",
      cluster(1, { apiServer: "https://kubernetes.default.svc" }),
      /^ - clusters\[1\]\.apiServer: must be an address that other clusters can reach.+, got "https:\/\/kubernetes\.default\.svc"\. /,
    ],
    [
      "an API server without https",
      cluster(1, { apiServer: "http://b:6443" }),
      /^ - clusters\[1\]\.apiServer: must be an https URL, got "http:\/\/b:6443"\. /,
    ],
    [
      "an authority without the URL that it is about",
      cluster(1, { apiServerAuthority: "cluster" }),
      /^ - clusters\[1\]\.apiServerAuthority: must be left out unless `apiServer` is given: .+, got "cluster"\. Set clusters\[1\]\.apiServer to /,
    ],
    [
      "a certificate's name without the URL that it is about",
      cluster(1, { tlsServerName: "kubernetes.default.svc" }),
      /^ - clusters\[1\]\.tlsServerName: must be left out unless `apiServer` is given: /,
    ],
    [
      "one API server for two clusters",
      cluster(1, { apiServer: "https://a.example.com:6443" }),
      /^ - clusters\[1\]\.context: must lead to a different API server than clusters\[0\]\.context, got /,
    ],
    [
      "a gateway address that is mistyped",
      cluster(1, { eastWestAddresses: ["203.0.113.256"] }),
      /^ - clusters\[1\]\.eastWestAddresses\[0\]: must be an IP address, or a host name in lower case with its domain, got "203\.0\.113\.256"\. /,
    ],
    [
      "a key that is none",
      cluster(1, { region: "eu" }),
      /^ - clusters\[1\]\.region: is not a configuration key\. Check its spelling/,
    ],
    [
      "a top-level key that is none",
      () => ({ wieght: 10 }),
      /^ - wieght: is not a configuration key\. Did you mean weight\? Remove it with: pulumi config rm wieght$/,
    ],
    ["no mesh", () => ({ mesh: undefined }), /^ - mesh: must be given\. Write a map of keys\.$/],
    [
      "a version that is not pinned",
      ({ mesh }) => ({ mesh: { ...mesh, istioVersion: "1.31" } }),
      /^ - mesh\.istioVersion: must be a full version, got "1\.31"\. For example: 1\.31\.0/,
    ],
    [
      "a version that YAML takes for a number",
      ({ mesh }) => ({ mesh: { ...mesh, istioVersion: 1.31 } }),
      /^ - mesh\.istioVersion: must be text, got 1\.31\. Put the value in quotes\.$/,
    ],
    [
      "digests of charts that no registry has",
      ({ mesh }) => ({ mesh: { ...mesh, charts: { digests: {} } } }),
      /^ - mesh\.charts: must have no digests unless its repository begins with oci:\/\/, got /,
    ],
    [
      "half a login for charts",
      ({ mesh }) => ({
        mesh: { ...mesh, charts: { repository: "oci://registry.example.com", username: "me" } },
      }),
      /^ - mesh\.charts: must have username, passwordSecret and repository together, got /,
    ],
    [
      "a password for charts that is nowhere",
      ({ mesh }) => ({
        mesh: {
          ...mesh,
          charts: {
            ...{ repository: "oci://x.example.com", username: "me", passwordSecret: "charts" },
          },
        },
      }),
      /^ - mesh\.charts\.passwordSecret: must be the name of one of secrets, got "charts"\. Set it: pulumi config set --secret --path 'secrets\.charts' /,
    ],
    [
      "a digest that is none",
      ({ mesh }) => ({
        mesh: { ...mesh, charts: { repository: "oci://x.example.com", digests: { base: "1" } } },
      }),
      /^ - mesh\.charts\.digests\.base: must be a digest: .+, got "1"\. /,
    ],
    [
      "two sources of charts",
      ({ mesh }) => ({
        mesh: { ...mesh, charts: { repository: "https://charts.example.com", directory: "/" } },
      }),
      /^ - mesh\.charts: must name a repository or a directory, not both, got /,
    ],
    [
      "a canary that is stable",
      service({ canary: version("v1") }),
      /^ - services\[0\]\.canary\.version: must be a different version than stable, got "v1"\. /,
    ],
    [
      "a weight without a canary",
      service({ canary: undefined }),
      /^ - weight: must be 0 while no service has a canary version, got 10\. Add services\[\]\.canary, or: pulumi config set weight 0$/,
    ],
    [
      "a service twice",
      ({ services }) => ({
        services: [...services, ...services.map((s) => ({ ...s, ingressHosts: [] }))],
        ingress: {},
      }),
      /^ - services\[1\]\.name: must be a different service \(same as services\[0\]\.name\), got "user\/user-service"\. /,
    ],
    [
      "a service named like another one's rule for a cluster",
      ({ services }) => ({
        services: services.flatMap((s) => [
          { ...s, name: "orders", ingressHosts: [] },
          { ...s, name: "orders-cluster-b", ingressHosts: [] },
        ]),
        ingress: {},
      }),
      /^ - services\[1\]\.name: must not make DestinationRule orders-cluster-b in namespace user, which services\[0\] makes too, got "orders-cluster-b"\. /,
    ],
    [
      "a Deployment of two services",
      ({ services }) => ({
        services: services.flatMap((s) => [
          { ...s, name: "web", stable: version("api-v1"), canary: version("v2"), ingressHosts: [] },
          { ...s, name: "web-api", stable: version("v1"), canary: version("v3"), ingressHosts: [] },
        ]),
        ingress: {},
      }),
      /^ - services\[1\]\.stable\.version: must not make Deployment web-api-v1 in namespace user, which services\[0\] makes too, got "v1"\. /,
    ],
    [
      "no clusters, as Pulumi hands them over",
      () => ({ clusters: [] }),
      /^ - clusters: must list at least two clusters, got \[\]\. /,
    ],
    [
      "a weight without services",
      () => ({ services: [] }),
      /^ - weight: must be 0 while no service has a canary version, got 10\. /,
    ],
    [
      "a namespace of the system's",
      service({ namespace: "kube-system" }),
      /^ - services\[0\]\.namespace: must be a namespace for services: not the system's, kube-… or istio-…/,
    ],
    [
      "a service name that begins with a digit",
      service({ name: "1service" }),
      /^ - services\[0\]\.name: must be a DNS label that begins with a letter/,
    ],
    [
      "a port of the sidecar's",
      service({ port: 15001 }),
      /^ - services\[0\]\.port: must not be one of the sidecar's ports/,
    ],
    [
      "a privileged port",
      service({ port: 80 }),
      /^ - services\[0\]\.port: must be a whole number from 1024 to 65535, got 80\. /,
    ],
    [
      "a timeout without unit",
      service({ timeout: "10" }),
      /^ - services\[0\]\.timeout: must be a duration .+, got "10"\. For example: 10s\.$/,
    ],
    [
      "Istio's way to write no timeout",
      service({ timeout: "0s" }),
      /^ - services\[0\]\.timeout: must be a duration .+, or none for no limit, got "0s"/,
    ],
    [
      "a try that outlasts the request",
      service({ retries: { attempts: 2, perTryTimeout: "1m" } }),
      /^ - services\[0\]\.retries\.perTryTimeout: must not be longer than the timeout of 10s/,
    ],
    [
      "an image without tag",
      service({ stable: version("v1", { image: "user-service" }) }),
      /^ - services\[0\]\.stable\.image: must be an image with a tag other than latest/,
    ],
    [
      "an image that moves",
      service({ stable: version("v1", { image: "user-service:latest" }) }),
      /^ - services\[0\]\.stable\.image: must be an image with a tag other than latest/,
    ],
    [
      "no pods",
      service({ stable: version("v1", { replicas: 0 }) }),
      /^ - services\[0\]\.stable\.replicas: must be a whole number from 1 to 1000, got 0\. /,
    ],
    [
      "a version that no label can have",
      service({ canary: version("v2/rc") }),
      /^ - services\[0\]\.canary\.version: must be the value of a label: at most 63 of a-z, A-Z, 0-9, -, _ and \., .+, got "v2\/rc"\. For example: v2\.$/,
    ],
    [
      "a version that YAML takes for a number",
      service({ canary: version(1.1 as unknown as string) }),
      /^ - services\[0\]\.canary\.version: must be text, got 1\.1\. Put the value in quotes\.$/,
    ],
    [
      "a version whose name is the other one's",
      service({ stable: version("1.16.0"), canary: version("1-16-0-3b41f45f") }),
      /^ - services\[0\]\.canary\.version: must not have the name in Istio's subsets that 1\.16\.0 has, 1-16-0-3b41f45f, got "1-16-0-3b41f45f"\. Name the new version otherwise\.$/,
    ],
    [
      "a version whose name is too long for a Deployment",
      service({ canary: version("2".repeat(45) + ".0") }),
      /^ - services\[0\]\.canary\.version: must keep user-service-<version> within 63 characters: it names the Deployment, as user-service-2{45}-0-[0-9a-f]{8}, got /,
    ],
    [
      "a version too long for a Deployment",
      service({ canary: version(`v${"2".repeat(60)}`) }),
      /^ - services\[0\]\.canary\.version: must keep user-service-<version> within 63 characters/,
    ],
    [
      "a header in upper case",
      service({ matches: [{ header: { "X-Canary": "true" } }] }),
      /^ - services\[0\]\.matches\[0\]\.header\.X-Canary: must be a header name in lower case/,
    ],
    [
      "a match of nothing",
      service({ matches: [{}] }),
      /^ - services\[0\]\.matches\[0\]: must name a header or a cookie/,
    ],
    [
      "two cookies in a match",
      service({ matches: [{ cookie: { a: "b", c: "d" } }] }),
      /^ - services\[0\]\.matches\[0\]\.cookie: must be one cookie/,
    ],
    [
      "a variable that the program sets",
      service({ env: { CLUSTER_NAME: "x" } }),
      /^ - services\[0\]\.env\.CLUSTER_NAME: must be the name of an environment variable, and not/,
    ],
    [
      "an ingress host that leads nowhere, while a service has not told its own",
      ({ services }) => ({
        services: services.map((s, i) => (i === 0 ? s : { ...s, ingressHosts: undefined })),
      }),
      /^ - ingress\.hosts: must lead to a service, but leads to none, got "order-service\.example\.com"\. /,
      { services: 2 },
    ],
    [
      "an ingress host that leads to two services",
      service({ ingressHosts: ["user-service.example.com"] }),
      /^ - services\[1\]\.ingressHosts: must leave each path of a host to one service, but user\/user-service has all paths of it too \(services\[0\]\), got "user-service\.example\.com"\. /,
      { services: 2 },
    ],
    [
      "an ingress host that is not taken in",
      service({ ingressHosts: ["user-service.example.com", "x.example.com"] }),
      /^ - services\[0\]\.ingressHosts: must be one of ingress\.hosts, got "x\.example\.com"\. /,
    ],
    [
      "an ingress key without certificate",
      ({ ingress }) => ({ ingress: { ...ingress, tls: { credentialName: "tls", key: "KEY" } } }),
      /^ - ingress\.tls\.certificate: must be given: certificate and key belong together\. /,
    ],
    [
      "half a CA",
      () => ({ certificates: { root: "ROOT" } }),
      /^ - certificates\.clusters: must be given: root and clusters are only useful together\. /,
    ],
  ])("is refused with %s", (_, change, problem, options) => {
    expect(lines(change, options)).toEqual([expect.stringMatching(problem)]);
  });

  it("takes numbers and booleans for the text they look like, as config set writes them", () => {
    const raw = rawConfig();
    const { settings, problems } = parseConfig({
      ...raw,
      certificates: { rotation: 2026 },
      services: raw.services.map((known) => ({
        ...known,
        matches: [{ header: { "x-canary": true } }, { cookie: { canary: 1 } }],
        resources: { requests: { cpu: 1 } },
      })),
    });
    expect(problems).toEqual([]);
    expect(settings).toMatchObject({
      certificates: { rotation: "2026" },
      services: [
        {
          matches: [{ header: { "x-canary": "true" } }, { cookie: { canary: "1" } }],
          resources: { requests: { cpu: "1" } },
        },
      ],
    });
  });

  it("tells a context used twice, and that it is one API server", () => {
    expect(lines(cluster(1, { context: "prod-a" }))).toEqual([
      expect.stringMatching(
        /^ - clusters\[1\]\.context: must be a kubeconfig context that no other cluster has/,
      ),
      expect.stringMatching(/^ - clusters\[1\]\.context: must lead to a different API server/),
    ]);
  });

  it("lists every problem at once, also in a list that has another one", () => {
    const found = lines((raw) => ({
      ...cluster(1, { name: "Cluster_B", network: "network-a" })(raw),
      phases: [30, 10],
      weight: 25.5,
      wieght: 1,
    }));
    expect(found.map((line) => /^ - ([^:]+):/.exec(line)?.[1])).toEqual([
      "wieght",
      "clusters[1].name",
      "phases",
      "weight",
      "clusters[1].network",
    ]);
  });

  it("never shows what may be secret", () => {
    const found = lines(() => ({
      certificates: {
        root: "hush",
        clusters: { "cluster-a": { certificate: "hush", key: "hush" } },
      },
    }));
    expect(found.length).toBeGreaterThan(1);
    expect(found.join()).not.toContain("hush");
  });

  it("leaves ingress hosts that no service has to services of other stacks", () => {
    expect(lines(service({ ingressHosts: [] }))).toEqual([]);
    expect(lines(() => ({ services: [], weight: 0 }))).toEqual([]);
  });

  it("lets one of several services be without a canary", () => {
    expect(
      lines(
        ({ services }) => ({
          services: services.map((known, i) => (i === 1 ? { ...known, canary: undefined } : known)),
        }),
        { services: 2 },
      ),
    ).toEqual([]);
  });
});

it("a folder of charts must hold that of the CNI agent, too, if the program installs it", () => {
  const of = (more: object) => {
    const raw = rawConfig();
    const charts = { directory: "/nowhere" };
    const { problems } = parseConfig({ ...raw, mesh: { ...raw.mesh, charts, ...more } });
    return problems.map(({ rule }) => rule.replace(/-[\d.]+tgz$/, ""));
  };
  const all = ["base", "istiod", "gateway"].map((chart) => `must hold /nowhere/${chart}`);
  expect(of({})).toEqual(all);
  expect(of({ cni: "existing" })).toEqual(all);
  expect(of({ cni: "installed" })).toEqual([...all, "must hold /nowhere/cni"]);
});

it("each chart that a mesh installs may have its digest", () => {
  const raw = rawConfig();
  const digest = `sha256:${"0".repeat(64)}`;
  const charts = {
    repository: "oci://registry.example.com/charts",
    digests: { base: digest, istiod: digest, gateway: digest, cni: digest },
  };
  expect(parseConfig({ ...raw, mesh: { ...raw.mesh, cni: "installed", charts } }).problems).toEqual(
    [],
  );
});
