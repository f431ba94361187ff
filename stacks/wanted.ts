import { idOf, serviceKey } from "../lib/names.ts";
import { markText } from "../lib/mark.ts";
import { podsOf } from "../lib/pods.ts";
import type { Wanted } from "../lib/release-rules.ts";
import { roleIn } from "./chain.ts";
import type { ReleaseSettings } from "./config.ts";
import { configOf } from "./version-config.ts";
import { isMade } from "./workload.ts";

/** What the configuration wants of the services. */
export function wantedBy(settings: ReleaseSettings): Wanted {
  const { services, chain, weight, phases, allow, quarantine, away } = settings;
  return {
    phases,
    allow,
    quarantine,
    away,
    mark: chain && markText(chain.mark),
    routes: services.map((service, i) => {
      const { name, namespace, workload, stable, canary } = service;
      const role = roleIn(chain, { name, namespace });
      return {
        key: serviceKey(idOf({ name, namespace })),
        path: `services[${i}]`,
        stable: stable.version,
        canary: canary?.version,
        canaryImage: canary?.image,
        // What an existing service's pods are made of is up to their owner.
        ...(isMade(service) && {
          pods: Object.fromEntries(
            [service.stable, service.canary].flatMap((each) =>
              each
                ? [
                    [
                      each.version,
                      podsOf(service, each, configOf(settings, service, each).digests),
                    ] as const,
                  ]
                : [],
            ),
          ),
        }),
        weight: canary && role !== "follower" ? weight : 0,
        role,
        ...(workload === "existing" && !canary && { unnamed: true as const }),
      };
    }),
  };
}
