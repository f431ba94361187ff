import { idOf, serviceKey } from "../../lib/names.ts";
import type { ClusterClient } from "../../fleet/cluster-client.ts";
import { sameShares, type DeployedCluster } from "../../lib/deployed.ts";
import type { ChainRole } from "../../lib/mark.ts";
import { wantedIn } from "../../lib/release-rules.ts";
import { shares, type Split } from "../../lib/weights.ts";
import type { ReleaseSettings, ServiceSettings } from "../../stacks/config.ts";
import { wantedBy } from "../../stacks/wanted.ts";
import { expectationsOf, inspect } from "../proof.ts";

/** How long Envoys may need for a change that was made just now, in milliseconds. */
const FOLLOW_MS = 3_000;

const routed = (split: Split) =>
  shares(split)
    .map(({ version, weight }) => `${version} ${weight} %`)
    .join(", ");

const inChain = ({ role }: { readonly role?: ChainRole | undefined }) =>
  role === undefined ? "in no chain" : `as the ${role} of a chain`;

/** Versions that run another image than the configuration says. */
function images(
  { stable, canary }: ServiceSettings,
  running: Readonly<Record<string, string>>,
): string[] {
  return [stable, ...(canary ? [canary] : [])].flatMap(({ version, image }) => {
    const has = running[version];
    // What an existing service runs is up to its owner.
    if (image === undefined || has === image) return [];
    return [
      has === undefined
        ? `${version} does not run, the config wants ${image}`
        : `${version} runs ${has}, the config wants ${image}`,
    ];
  });
}

/**
 * In what one cluster serves something else than the configuration says, a line each: part in the chain,
 * shares and images, and where those are right, everything that routes the service there, objects and Envoys,
 * against the record that was made when this configuration came into force.
 *
 * @throws if the cluster does not answer
 */
export async function driftIn(
  settings: ReleaseSettings,
  cluster: ClusterClient,
  { routes }: DeployedCluster,
): Promise<readonly string[]> {
  const wanted = wantedBy(settings);
  const expectations = await expectationsOf(settings, [cluster]);
  const found = await Promise.all(
    settings.services.map(async (service, i) => {
      const key = serviceKey(idOf(service));
      const route = routes.get(key);
      const [to, expectation] = [wanted.routes[i], expectations[i]];
      if (!to || !expectation) return [];
      if (!route) return [`${key}: not there, it needs pulumi up`];
      const here = wantedIn(wanted, to, cluster.name);
      const lines = images(service, route.images);
      if (route.role !== here.role) {
        lines.unshift(`it is ${inChain(route)}, the config wants it ${inChain(here)}`);
      } else if (!sameShares(route, here)) {
        lines.unshift(`the API server has ${routed(route)}, the config wants ${routed(here)}`);
      } else {
        const { differences, strays } = await inspect(expectation, FOLLOW_MS);
        lines.push(...differences, ...strays);
        if (!expectation.record) {
          lines.push(
            `routes are not compared, there is no record of this config (${expectation.missing})`,
          );
        }
      }
      return lines.map((line) => `${key}: ${line}`);
    }),
  );
  return found.flat();
}
