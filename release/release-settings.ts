import { brief } from "../lib/brief.ts";
import { durationMs } from "../lib/duration.ts";
import { crossClusterHost, idOf, serviceKey, serviceHost } from "../lib/names.ts";
import { roleIn } from "../stacks/chain.ts";
import type { ReleaseSettings } from "../stacks/config.ts";
import type { Judged } from "./gates/readings.ts";
import type { Plan } from "./planner.ts";
import type { ReleaseStack } from "./stack.ts";

/** The stack's configuration, which must be right. */
export function settingsOf(stack: ReleaseStack): ReleaseSettings {
  const found = stack.settings(stack.release);
  if ("problems" in found) {
    throw new Error(
      [`The configuration of stack ${stack.name} is invalid:`, ...found.problems].join("\n"),
    );
  }
  return found.settings;
}

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

/** Between the canaries in a release's name; no image holds it. */
const SEPARATOR = ", ";

/** The canaries with their images: another one is another release. */
export function releaseName({ services }: ReleaseSettings): string {
  return services
    .flatMap(({ name, namespace, canary }) =>
      canary
        ? [`${serviceKey(idOf({ name, namespace }))} ${canary.version} (${canary.image})`]
        : [],
    )
    .join(SEPARATOR);
}

/** The name of a release for people, who are told how many services there are instead of all of them. */
export function briefRelease(name: string): string {
  return brief(name.split(SEPARATOR));
}

/** How the configuration wants a rollout to go. */
export function planOf({ phases, rollout }: ReleaseSettings, stack: string): Plan {
  const { trial, bake, at, noDataLimit, unreachableLimit, maxFailures, webhooks } = rollout;
  const has = (when: string) => webhooks.some((webhook) => webhook.when === when);
  return {
    phases,
    stack,
    trialMs: trial === undefined ? undefined : durationMs(trial),
    bakeMs: durationMs(bake),
    bakesMs: new Map(
      at.flatMap((each) =>
        each.bake === undefined ? [] : [[each.weight, durationMs(each.bake)] as const],
      ),
    ),
    noDataLimitMs: durationMs(noDataLimit),
    unreachableLimitMs: durationMs(unreachableLimit),
    maxFailures,
    approval: phases.filter(
      (weight) =>
        at.find((each) => each.weight === weight)?.approval ?? rollout.approval.includes(weight),
    ),
    asks: { before: has("before"), confirm: has("confirm") },
  };
}
