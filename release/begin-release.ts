import type { ClusterClient } from "../fleet/cluster-client.ts";
import { durationMs } from "../lib/duration.ts";
import { allOf } from "../lib/enumerate.ts";
import { idOf, serviceKey } from "../lib/names.ts";
import { workloadName } from "../lib/version-name.ts";
import type { ReleaseSettings } from "../stacks/config.ts";
import { clustersOf, deployedIn } from "./clusters.ts";
import { heldWeight } from "./held-weight.ts";
import { Journal } from "./journal.ts";
import { withImages, type NewImage, type WithImages } from "./new-images.ts";
import { phaseWeights } from "./observer.ts";
import { releaseName, settingsOf } from "./release-settings.ts";
import type { ReleaseStack } from "./stack.ts";
import { watchedBy } from "./status/release-status.ts";
import { raiseTo } from "./update-weight.ts";

/** Part of a stack that the beginning of a release needs. */
export type BeginningStack = Pick<
  ReleaseStack,
  | "name"
  | "release"
  | "settings"
  | "states"
  | "configure"
  | "orAsBefore"
  | "setWeight"
  | "previewAt"
  | "upAt"
  | "up"
>;

/**
 * Begins a release by new images: they become the canaries in the stack's config file, at weight 0, and an update makes
 * their pods in every cluster. If that fails, the config file is as it was; if the process is killed, it keeps them. Where
 * they are the canaries already, and have a weight, nothing is done: the rollout goes on. Where the config alone does not
 * know of them, as in another checkout, it gets them with the weight that the rollout holds.
 *
 * @param print tells what is done
 * @throws if an image makes no canary, a cluster does not answer, or another canary serves requests or is watched
 */
export async function beginRelease(
  stack: BeginningStack,
  images: readonly NewImage[],
  print: (text: string) => void,
): Promise<void> {
  const settings = settingsOf(stack);
  const { services, changed } = withImages(stack.release.services, images);
  const next = { ...stack.release, services, weight: "0" };
  const checked = stack.settings(next);
  if ("problems" in checked) {
    throw new Error(
      [
        `With these images the configuration of stack ${stack.name} is invalid:`,
        ...checked.problems,
      ].join("\n"),
    );
  }
  const clusters = clustersOf(settings);
  const serving = await servingIn(settings, clusters);
  if (serving.length > 0) {
    if (changed.length === 0) return;
    const held = await heldOf(stack.name, checked.settings, clusters);
    if (held !== undefined) {
      await stack.configure({ ...next, weight: String(held) });
      print(
        `a rollout holds ${releaseName(checked.settings)} at ${held} % already: it goes on, and the config gets what the clusters have`,
      );
      return;
    }
    throw new Error(
      `No release can begin while a canary serves requests: ${serving.join(", ")}. At 100 %, make it the stable version (docs/operations.md#promotion). Or take it back: npm run release -- rollback --stack ${stack.name} --to zero.`,
    );
  }
  if (changed.length > 0) await mustBeUnwatched(checked.settings, clusters);
  const leaving = await leavingOf(stack, checked.settings, changed);
  await stack.orAsBefore(
    async () => {
      await stack.configure(next);
      for (const { key, version } of changed) {
        print(`${key}: ${version} is the canary in the config`);
      }
    },
    () =>
      raiseTo(
        stack,
        0,
        () => undefined,
        stack,
        ({ name }) => leaving.some((gone) => name === gone || name.startsWith(`${gone}-`)),
      ),
    (isAsBefore) => {
      const config = isAsBefore
        ? "the config is as it was before"
        : "the config was edited meanwhile, so it keeps the canary: take it out yourself";
      print(
        `${releaseName(checked.settings)} was not made: ${config}. What is there of it has no requests, and goes with the next update without it; or run the same command again.`,
      );
    },
  );
  print(
    `made at 0 % in ${allOf(clusters.map(({ name }) => name))}: ${releaseName(checked.settings)}`,
  );
}

/**
 * The canaries that have requests, whatever the config says of them.
 *
 * @throws if a cluster cannot be read
 */
async function servingIn(
  settings: ReleaseSettings,
  clusters: readonly ClusterClient[],
): Promise<readonly string[]> {
  const deployed = await deployedIn(settings, clusters);
  const silent = deployed.filter(({ unreachable }) => unreachable !== undefined);
  if (silent.length > 0) {
    throw new Error(
      `No release can begin while a cluster cannot be reached:\n${silent.map(({ name, unreachable }) => ` - ${name}: ${unreachable ?? ""}`).join("\n")}`,
    );
  }
  return deployed.flatMap(({ name, routes }) =>
    [...routes].flatMap(([key, { canary, weight }]) =>
      canary !== undefined && weight > 0 ? [`${canary} of ${key} ${weight} % in ${name}`] : [],
    ),
  );
}

/**
 * Names of what the program has made for canaries that go: those that the config has had until now, and those of updates
 * that have failed since the last complete one, whose canaries are still there.
 */
async function leavingOf(
  stack: Pick<BeginningStack, "states">,
  { services }: ReleaseSettings,
  changed: WithImages["changed"],
): Promise<readonly string[]> {
  const states = await stack.states();
  const last = states.findIndex(({ inForce }) => inForce);
  const known = states.slice(0, last + 1).flatMap((state) => state.services);
  return services.flatMap(({ name, namespace, stable, canary }) => {
    const key = serviceKey(idOf({ name, namespace }));
    const before = [
      ...changed.flatMap((each) => (each.key === key ? [each.leaves] : [])),
      ...known.flatMap((each) => (each.service === key ? [each.canary] : [])),
    ];
    return [...new Set(before)].flatMap((version) =>
      version === undefined || version === stable.version || version === canary?.version
        ? []
        : [`${namespace}/${workloadName(name, version)}`],
    );
  });
}

/**
 * The weight of a rollout of the very canaries, images included, that the config is about to get.
 *
 * @returns undefined if there is none
 * @throws if the clusters differ
 */
async function heldOf(
  stack: string,
  settings: ReleaseSettings,
  clusters: readonly ClusterClient[],
): Promise<number | undefined> {
  const { progress } = await new Journal(clusters, namespacesOf(settings)).read();
  const release = releaseName(settings);
  if (progress?.release !== release || progress.end?.result === "stopped") return undefined;
  // Once more, by the names of the new canaries: those tell which subset a version has.
  const deployed = await deployedIn(settings, clusters);
  const isOther = ({ routes }: (typeof deployed)[number]) =>
    settings.services.some((service) => {
      const route = routes.get(serviceKey(idOf(service)));
      return (
        route?.canary !== undefined && route.weight > 0 && route.canary !== service.canary?.version
      );
    });
  if (deployed.some(isOther)) return undefined;
  return heldWeight({
    ...{ stack, config: 0, release, progress },
    clusters: deployed.map((each) => ({
      name: each.name,
      weights: phaseWeights(settings, each),
    })),
  }).weight;
}

const namespacesOf = ({ services }: ReleaseSettings) => services.map(({ namespace }) => namespace);

/**
 * A command that judges another canary would raise this one.
 *
 * @param settings with the new canaries
 * @throws if one runs
 */
async function mustBeUnwatched(
  settings: ReleaseSettings,
  clusters: readonly ClusterClient[],
): Promise<void> {
  const { progress, watch } = await new Journal(clusters, namespacesOf(settings)).read();
  if (!progress || progress.end || !watch) return;
  // What judges these very canaries goes on, or was interrupted just now.
  if (progress.release === releaseName(settings)) return;
  const { by, stale, seconds } = watchedBy(
    watch,
    durationMs(settings.rollout.interval),
    Date.now(),
  );
  if (stale) return;
  throw new Error(
    `No release can begin while ${by} rolls out ${progress.release}, seen ${seconds} s ago: interrupt that first (Ctrl-C), or let it end.`,
  );
}
