import type { Judged } from "../lib/judged.ts";
import { CANARY_SEPARATOR } from "../lib/release-name.ts";
import { crossClusterHost, idOf, serviceHost, serviceKey } from "../lib/names.ts";
import { roleIn } from "./chain.ts";
import type { ReleaseSettings } from "./config.ts";

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

/**
 * The canaries with their images: another one is another release. An existing service's image is its owner's; there the
 * version alone tells.
 */
export function releaseName({ services }: ReleaseSettings): string {
  return services
    .flatMap(({ name, namespace, canary }) =>
      canary
        ? [
            [
              `${serviceKey(idOf({ name, namespace }))} ${canary.version}`,
              ...(canary.image === undefined ? [] : [`(${canary.image})`]),
            ].join(" "),
          ]
        : [],
    )
    .join(CANARY_SEPARATOR);
}
