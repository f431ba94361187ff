import type { FoundService } from "../../fleet/find-services.ts";
import { splitPorts, tcpPorts } from "../../lib/existing.ts";
import { SERVICE_PORT, serviceKey, type ServiceName } from "../../lib/names.ts";
import type { PortProtocol, Protocol } from "../../lib/ports.ts";
import type { RequestMatch, Retries, TrafficPolicy } from "../../lib/routing/routing.ts";
import { NOTHING_SAID, type SaidRoute } from "../../lib/routing/said.ts";

/** A version of an existing service, as the configuration has it. */
interface VersionEntry {
  readonly version: string;
  readonly trafficPolicy?: TrafficPolicy | undefined;
}

/** An entry of `services` for a service that others have made, in the order in which people read it. */
interface ServiceEntry {
  readonly workload: "existing";
  readonly name: string;
  readonly namespace: string;
  readonly servicePort?: number;
  readonly protocol?: Protocol;
  readonly morePorts?: readonly { readonly port: number; readonly protocol?: PortProtocol }[];
  readonly versionLabel?: string;
  readonly serviceAccounts?: readonly string[];
  readonly adopt: true;
  readonly ingressHosts: readonly string[];
  readonly timeout: string;
  readonly retries?: Retries;
  readonly corsPolicy?: Readonly<Record<string, unknown>>;
  readonly trafficPolicy?: TrafficPolicy;
  readonly matches?: readonly RequestMatch[];
  readonly mirrorPercent?: number;
  readonly stable: VersionEntry;
  readonly canary?: VersionEntry;
}

/** What a file that is there already has chosen where the clusters leave a choice. */
export interface Chosen {
  readonly stable?: string | undefined;
  readonly canary?: string | undefined;
}

/** What the configuration would be of a service. */
export interface Proposal extends ServiceName {
  readonly entry: ServiceEntry;
  /** Percent of the canary, as the routes have it; undefined without a canary. */
  readonly weight: number | undefined;
  /** Versions of its pods. */
  readonly versions: readonly string[];
  /** Gateways that lead to it. */
  readonly gateways: readonly string[];
}

/** A service that cannot be taken, and why. */
export interface Refusal {
  readonly key: string;
  readonly reasons: readonly string[];
}

const KUBERNETES_VERSION = "app.kubernetes.io/version";
const VERSION = "version";

/** What Istio does about failed requests where a rule says nothing. (Istio: route/retry.DefaultPolicy) */
const ISTIO_RETRIES = "connect-failure,refused-stream,unavailable,cancelled";
const GRPC_RETRIES = "connect-failure,refused-stream";

/** `v2` before `v10`. */
const inOrder = new Intl.Collator("en", { numeric: true }).compare;

/** The retries that keep what requests meet now; undefined where the configuration's default does. */
function retriesOf(
  { attempts, perTryTimeout, on = ISTIO_RETRIES }: Retries = { attempts: 2 },
  hasGrpc: boolean,
): Retries | undefined {
  if (attempts === 0) return { attempts };
  const isDefault = on === (hasGrpc ? GRPC_RETRIES : ISTIO_RETRIES);
  if (attempts === 2 && perTryTimeout === undefined && isDefault) return undefined;
  return {
    attempts,
    ...(perTryTimeout !== undefined && { perTryTimeout }),
    ...(!isDefault && { on }),
  };
}

/** The label by which the owner tells versions apart, and Istio's metrics do. */
function labelOf(said: SaidRoute, pods: readonly { readonly labels: object }[]): string {
  if (said.versionLabel !== undefined) return said.versionLabel;
  const isEverywhere = pods.length > 0 && pods.every(({ labels }) => KUBERNETES_VERSION in labels);
  return isEverywhere ? KUBERNETES_VERSION : VERSION;
}

/** The versions that the routes name; of those that can be one or the other, what a file has chosen. */
function rolesOf(said: SaidRoute, there: readonly string[], chosen: Chosen) {
  const choose = (wanted: string | undefined, from: readonly string[], last: string | undefined) =>
    wanted !== undefined && from.includes(wanted) ? wanted : last;
  const stable = said.stable ?? choose(chosen.stable, there, there[0]);
  const isNamed = said.madeFor === undefined && said.stable !== undefined;
  const others = there.filter((version) => version !== stable);
  const canary =
    said.canary ?? (isNamed ? choose(chosen.canary, others, others.at(-1)) : undefined);
  return { stable, canary };
}

/**
 * What the configuration of a service would be that others have made, from what the clusters have of it. Whether it may be
 * taken, the checks of an update say.
 *
 * @param found what each cluster has that has it, in the order of the clusters
 */
export function proposed(
  name: ServiceName,
  found: readonly FoundService[],
  chosen: Chosen = {},
): Proposal | Refusal {
  const key = serviceKey(name);
  const all = found.map(({ said }) => said);
  const said =
    all.find(({ canary }) => canary !== undefined) ??
    all.find(({ stable }) => stable !== undefined) ??
    all[0] ??
    NOTHING_SAID;
  if (said.madeFor === "made") {
    return {
      key,
      reasons: [
        "its pods were made by this program: they belong to a stack without workload: existing",
      ],
    };
  }
  const pods = found.flatMap(({ workload }) => workload.pods);
  const label = labelOf(said, pods);
  const versions = [
    ...new Set(
      pods.flatMap(({ labels }) => {
        const version = labels[label];
        return version === undefined ? [] : [version];
      }),
    ),
  ].sort(inOrder);
  const { stable, canary } = rolesOf(said, versions, chosen);
  if (stable === undefined) {
    const what =
      pods.length === 0 ? "it selects no pod" : `none of its pods has the label ${label}`;
    return { key, reasons: [`nobody knows its version: ${what}`] };
  }
  const ports = found[0]?.workload.service?.ports ?? [];
  const [first, ...further] = splitPorts(ports);
  const more = first ? [...further, ...tcpPorts(ports)] : [];
  const hasGrpc = [first, ...more].some((port) => port?.protocol === "grpc");
  const retries = retriesOf(said.retries, hasGrpc);
  const accounts = [...new Set(pods.map(({ serviceAccount }) => serviceAccount))].sort();
  const isOwnAccount = accounts.length === 1 && accounts[0] === name.service;
  const version = (of: string): VersionEntry => {
    const trafficPolicy = said.policies[of];
    return { version: of, ...(trafficPolicy && { trafficPolicy }) };
  };
  const inner = `${name.service}.${name.namespace}.`;
  const entry: ServiceEntry = {
    workload: "existing",
    name: name.service,
    namespace: name.namespace,
    ...(first && first.port !== SERVICE_PORT && { servicePort: first.port }),
    ...(first && first.protocol !== "http" && { protocol: first.protocol }),
    ...(more.length > 0 && {
      morePorts: more.map(({ port, protocol }) => ({
        port,
        ...(protocol !== "http" && { protocol }),
      })),
    }),
    ...(label !== VERSION && { versionLabel: label }),
    ...(accounts.length > 0 && !isOwnAccount && { serviceAccounts: accounts }),
    adopt: true,
    ingressHosts: said.gatewayHosts.filter(
      (host) => !host.startsWith(inner) && host !== `${name.service}.${name.namespace}`,
    ),
    timeout: said.timeout,
    ...(retries && { retries }),
    ...(said.corsPolicy && { corsPolicy: said.corsPolicy }),
    ...(said.policy && { trafficPolicy: said.policy }),
    ...(canary !== undefined && said.matches.length > 0 && { matches: said.matches }),
    ...(canary !== undefined && said.mirrorPercent > 0 && { mirrorPercent: said.mirrorPercent }),
    stable: version(stable),
    ...(canary !== undefined && { canary: version(canary) }),
  };
  return {
    ...name,
    entry,
    weight: canary === undefined ? undefined : said.canary === undefined ? 0 : said.weight,
    versions,
    gateways: said.gateways,
  };
}

/** What one stack can take of the proposals: it has one weight, and one gateway. */
export interface OneStack {
  readonly weight: number;
  readonly gateway: string | undefined;
  readonly taken: readonly Proposal[];
  readonly refusals: readonly Refusal[];
}

/** The value that most have; of several the first. */
function most<T>(values: readonly T[]): T | undefined {
  const counts = [...Map.groupBy(values, (value) => value)];
  return counts.toSorted(([, one], [, other]) => other.length - one.length)[0]?.[0];
}

/** Leaves out what needs a stack of its own. */
export function inOneStack(proposals: readonly Proposal[]): OneStack {
  const weights = proposals.flatMap(({ weight }) => weight ?? []).toSorted((a, b) => a - b);
  const weight = most(weights) ?? 0;
  const gateway = most(proposals.flatMap(({ gateways }) => gateways));
  const reasonsOf = (each: Proposal): readonly string[] => [
    ...(each.weight === undefined || each.weight === weight
      ? []
      : [
          `its canary ${each.entry.canary?.version ?? ""} has ${each.weight} %, and weight is one value for all services of a stack, here ${weight}: adopt it into a stack of its own (--service ${serviceKey(each)} --stack NAME)`,
        ]),
    ...each.gateways
      .filter((name) => name !== gateway)
      .map(
        (name) =>
          `its VirtualService is for gateway ${name}, and a stack has one, here ${gateway ?? ""}: adopt it into a stack of its own (--service ${serviceKey(each)} --stack NAME)`,
      ),
  ];
  const refused = proposals.map((each) => ({ key: serviceKey(each), reasons: reasonsOf(each) }));
  return {
    weight,
    gateway,
    taken: proposals.filter((_, i) => refused[i]?.reasons.length === 0),
    refusals: refused.filter(({ reasons }) => reasons.length > 0),
  };
}
