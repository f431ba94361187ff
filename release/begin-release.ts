import type { ClusterClient } from "../fleet/cluster-client.ts";
import { durationMs } from "../lib/duration.ts";
import { allOf } from "../lib/enumerate.ts";
import { workloadName } from "../lib/version-name.ts";
import type { ReleaseSettings } from "../stacks/config.ts";
import { clustersOf, deployedIn } from "./clusters.ts";
import { Journal } from "./journal.ts";
import { withImages, type NewImage } from "./new-images.ts";
import { releaseName, settingsOf } from "./release-settings.ts";
import type { ReleaseStack } from "./stack.ts";
import { watchedBy } from "./status/release-status.ts";
import { raiseTo } from "./update-weight.ts";

/** Part of a stack that the beginning of a release needs. */
export type BeginningStack = Pick<
  ReleaseStack,
  "name" | "release" | "settings" | "configure" | "setWeight" | "previewAt" | "upAt" | "up"
>;

/**
 * Begins a release by new images: they become the canaries in the stack's config file, at weight 0, and an update makes
 * their pods in every cluster. Where they are the canaries already, and have a weight, the rollout goes on; a config file
 * that does not know of it, as a fresh checkout of Git, gets the canaries and that weight.
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
    const held = await heldBy(releaseName(checked.settings), serving, settings, clusters);
    if (held !== undefined) {
      await stack.configure({ ...next, weight: String(held) });
      print(`goes on at ${held} %: ${releaseName(checked.settings)}`);
      return;
    }
    throw new Error(
      `No release can begin while a canary serves requests: ${serving.map(({ text }) => text).join(", ")}. At 100 %, make it the stable version (docs/operations.md#promotion). Or take it back: npm run release -- rollback --stack ${stack.name} --to zero.`,
    );
  }
  if (changed.length > 0) await mustBeUnwatched(settings, clusters);
  await stack.configure(next);
  for (const { key, version } of changed) print(`${key}: ${version} is the canary in the config`);
  const leaving = changed.flatMap(({ name, namespace, leaves }) =>
    leaves === undefined ? [] : [`${namespace}/${workloadName(name, leaves)}`],
  );
  await raiseTo(
    stack,
    0,
    () => undefined,
    stack,
    ({ name }) => leaving.some((gone) => name === gone || name.startsWith(`${gone}-`)),
  );
  print(
    `made at 0 % in ${allOf(clusters.map(({ name }) => name))}: ${releaseName(checked.settings)}`,
  );
}

interface Serving {
  readonly weight: number;
  readonly text: string;
}

/** The weight that a rollout of these canaries has, if all clusters have it. @returns undefined if there is none */
async function heldBy(
  release: string,
  serving: readonly Serving[],
  { services }: ReleaseSettings,
  clusters: readonly ClusterClient[],
): Promise<number | undefined> {
  const namespaces = services.map(({ namespace }) => namespace);
  const { progress } = await new Journal(clusters, namespaces).read();
  if (progress?.release !== release) return undefined;
  const [weight, ...others] = new Set(serving.map((each) => each.weight));
  return others.length === 0 ? weight : undefined;
}

/**
 * The canaries that have requests, whatever the config says of them.
 *
 * @throws if a cluster cannot be read
 */
async function servingIn(
  settings: ReleaseSettings,
  clusters: readonly ClusterClient[],
): Promise<readonly Serving[]> {
  const deployed = await deployedIn(settings, clusters);
  const silent = deployed.filter(({ unreachable }) => unreachable !== undefined);
  if (silent.length > 0) {
    throw new Error(
      `No release can begin while a cluster cannot be reached:\n${silent.map(({ name, unreachable }) => ` - ${name}: ${unreachable ?? ""}`).join("\n")}`,
    );
  }
  return deployed.flatMap(({ name, routes }) =>
    [...routes].flatMap(([key, { canary, weight }]) =>
      canary !== undefined && weight > 0
        ? [{ weight, text: `${canary} of ${key} ${weight} % in ${name}` }]
        : [],
    ),
  );
}

/** A command that judges another canary would raise this one. @throws if one runs */
async function mustBeUnwatched(
  settings: ReleaseSettings,
  clusters: readonly ClusterClient[],
): Promise<void> {
  const namespaces = settings.services.map(({ namespace }) => namespace);
  const { progress, watch } = await new Journal(clusters, namespaces).read();
  if (!progress || progress.end || !watch) return;
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
