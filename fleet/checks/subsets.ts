import { gatewayLabels } from "../../lib/helm-values.ts";
import { EAST_WEST_GATEWAY } from "../../lib/names.ts";
import { TCP_SUBSET } from "../../lib/ports.ts";
import { routing } from "../../lib/routing/index.ts";
import { Fleet, type Confirmation } from "../ask-fleet.ts";
import { Behind, type SilentPod } from "../ask-pods.ts";
import { podKey } from "../cluster-client.ts";
import { notEnough } from "../enough.ts";
import { endpointsOf } from "../endpoints.ts";
import { explain } from "../explain.ts";
import { clusterRouting } from "../routing/index.ts";
import { portsOf, type Check, type CheckContext, type Finding } from "./check.ts";

type Pod = Awaited<ReturnType<CheckContext["cluster"]["proxies"]>>[number];

const FIX = "See istioctl proxy-status; a proxy that is not SYNCED has lost its istiod.";

/** What a proxy lacks. */
class Lacking extends Behind {
  readonly findings: readonly (Finding & {
    /** Whether it would send requests nowhere: one that lacks the subset itself gets that before the weight. */
    readonly fails: boolean;
  })[];

  constructor(findings: Lacking["findings"]) {
    super(findings.map(({ seen }) => seen).join(", "));
    this.findings = findings;
  }
}

/** What speaks against a proxy that is to send the canaries' requests. */
async function lackingOf(
  { cluster }: CheckContext,
  pod: Pod,
  envoyClusters: readonly string[],
): Promise<Lacking["findings"]> {
  const known = await endpointsOf(cluster, pod, envoyClusters);
  const { namespace, name } = podKey(pod);
  return envoyClusters.flatMap((envoyCluster): Lacking["findings"] => {
    const endpoints = known.get(envoyCluster);
    if (!endpoints) {
      const seen = `the proxy of ${namespace}/${name} has no ${envoyCluster}`;
      return [{ seen, fix: FIX, mayHeal: true, fails: false }];
    }
    return endpoints.some(({ healthy }) => healthy)
      ? []
      : [
          {
            seen: `the proxy of ${namespace}/${name} has no healthy endpoint for ${envoyCluster}`,
            fix: "Make sure that the canary's pods are ready in the clusters it reaches.",
            mayHeal: true,
            fails: true,
          },
        ];
  });
}

/**
 * For each canary whether a proxy routes to its service.
 *
 * @param hosts those of all canaries
 */
async function routedBy(
  { cluster, canaries }: CheckContext,
  pod: Pod,
  hosts: readonly string[],
): Promise<boolean[]> {
  const held = Object.values(await clusterRouting.held(cluster, pod, hosts));
  const domains = new Set(held.flatMap((virtualHost) => virtualHost.domains));
  return canaries.map((canary) => canary.hosts.some((host) => domains.has(host)));
}

/**
 * Asks a proxy for the subsets of the canaries that it sends requests to.
 *
 * @param hosts those of all canaries
 */
async function ask(
  context: CheckContext,
  pod: Pod,
  hosts: readonly string[],
): Promise<Confirmation<undefined>> {
  const { canaries } = context;
  const gateway = gatewayLabels(EAST_WEST_GATEWAY);
  const isGateway = pod.metadata?.labels?.["istio"] === gateway.istio;
  const holds = isGateway ? canaries.map(() => true) : await routedBy(context, pod, hosts);
  const wanted = canaries
    .filter((_, i) => holds[i])
    .flatMap((canary) =>
      portsOf(canary).map((port) => {
        // Routes to these name no version: without the subset their connections would be closed at once.
        const isTcp = port !== undefined && canary.tcpPorts?.includes(port) === true;
        const version = isTcp ? TCP_SUBSET : canary.canary;
        return isGateway
          ? routing.passthroughCluster(canary.host, version, port)
          : routing.envoyCluster(canary.host, version, port);
      }),
    );
  const lacking = await lackingOf(context, pod, wanted);
  if (lacking.length > 0) throw new Lacking(lacking);
  return { value: undefined, holds };
}

function findingsOf({ pod, error }: SilentPod): readonly Finding[] {
  if (error instanceof Lacking) {
    return error.findings.map(({ seen, fix, mayHeal }) => ({ seen, fix, mayHeal }));
  }
  const { namespace, name } = podKey(pod);
  return [
    {
      seen: `the proxy of ${namespace}/${name} does not answer (${explain(error)})`,
      fix: "Restart the pod. A pod that is not ready is not asked.",
      mayHeal: true,
    },
  ];
}

/** Rounds in which proxies are asked themselves of which istiods say too little. */
const ROUNDS = 3;

/**
 * The proxies themselves must hold the canaries' subsets: those that route to the services, and the
 * east-west gateways, by the server names of the subsets.
 */
export const subsets: Check = {
  name: "every proxy holds the canary's subset",
  run: async (context) => {
    const { cluster, limits, canaries } = context;
    const { askEnvoys, who } = limits;
    const options = { kind: "cluster", askEnvoys, who, patienceMs: 0 } as const;
    const hosts = canaries.flatMap((canary) => canary.hosts);
    const fleet = new Fleet(cluster, options, async (pod) => ask(context, pod, hosts));
    let round = await fleet.round(() => cluster.proxies());
    for (let i = 1; i < ROUNDS && round.unknown.length > 0 && round.silent.length === 0; i++) {
      round = await fleet.round(() => cluster.proxies());
    }
    const { silent, pending, unknown, silentIstiods } = round;
    const fails = silent.some(
      ({ error }) => error instanceof Lacking && error.findings.some((each) => each.fails),
    );
    const services = canaries.map(({ host }) => host);
    if (!fails && notEnough(round, services, who.percent) === undefined) return [];
    const others = [...pending, ...unknown];
    const [first] = others;
    if (!first) return silent.flatMap(findingsOf);
    const { namespace, name } = podKey(first);
    const why = silentIstiods.map((each) => `; istiod tells nothing (${each})`).join("");
    return [
      ...silent.flatMap(findingsOf),
      {
        seen: `${others.length} proxies, such as that of ${namespace}/${name}, have not acknowledged it to istiod${why}`,
        fix: FIX,
        mayHeal: true,
      },
    ];
  },
};
