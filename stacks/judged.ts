import { createHash } from "node:crypto";
import type { Judged } from "../lib/judged.ts";
import { CANARY_SEPARATOR } from "../lib/release-name.ts";
import { crossClusterHost, idOf, serviceHost, serviceKey } from "../lib/names.ts";
import { flatResources } from "../lib/pods.ts";
import { roleIn } from "./chain.ts";
import type { ReleaseSettings } from "./config.ts";
import type { Service } from "./schema.ts";
import { configOf } from "./version-config.ts";

/** The services that have a canary. */
export function judgedServices({
  services,
  clusters,
  chain,
  mesh,
}: ReleaseSettings): readonly Judged[] {
  return services.flatMap(({ name, namespace, stable, canary, ingressHosts }) =>
    canary
      ? [
          {
            service: name,
            namespace,
            host: serviceHost({ service: name, namespace }, mesh.clusterDomain),
            otherHosts: [
              ...ingressHosts,
              ...clusters.map((each) => crossClusterHost({ service: name, namespace }, each.name)),
            ],
            stable: stable.version,
            canary: canary.version,
            role: roleIn(chain, { name, namespace }),
          },
        ]
      : [],
  );
}

/** What a canary has for itself beside its image, in short; it is another release with another one. */
function configurationOf(
  settings: ReleaseSettings,
  service: Pick<Service, "name" | "namespace">,
  { env, args, resources, ...canary }: Service["stable"],
): string {
  const { name, namespace } = service;
  // What the service's own says is no part of it.
  const { digests } = configOf(settings, { name, namespace }, canary);
  const hasConfig = Object.keys(digests).length > 0;
  if ([env, args, resources].every((each) => each === undefined) && !hasConfig) return "";
  const sorted = Object.entries(env ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify([
    ...[sorted, args, flatResources(resources)],
    ...(hasConfig ? [digests] : []),
  ]);
  return `; configuration ${createHash("sha256").update(text).digest("hex").slice(0, 8)}`;
}

/**
 * The canaries with their images, and what else they have for themselves: another one is another release. An existing service's image is its owner's; there the
 * version alone tells.
 */
export function releaseName(settings: ReleaseSettings): string {
  return settings.services
    .flatMap(({ canary, ...service }) =>
      canary
        ? [
            [
              `${serviceKey(idOf(service))} ${canary.version}`,
              ...(canary.image === undefined
                ? []
                : [`(${canary.image}${configurationOf(settings, service, canary)})`]),
            ].join(" "),
          ]
        : [],
    )
    .join(CANARY_SEPARATOR);
}
