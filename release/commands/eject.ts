import { isDeepStrictEqual } from "node:util";
import type { ClusterClient } from "../../fleet/cluster-client.ts";
import * as z from "zod";
import { explain } from "../../fleet/explain.ts";
import { markAgain, readObject, unmark } from "../../fleet/unmark.ts";
import { allOf } from "../../lib/enumerate.ts";
import { fromJson } from "../../lib/from-json.ts";
import { idOf, serviceKey } from "../../lib/names.ts";
import { isMade } from "../../stacks/workload.ts";
import type { ReleaseSettings, ServiceSettings } from "../../stacks/config.ts";
import { UpdateNotes } from "../../stacks/update-notes.ts";
import { clustersOf, deployedIn } from "../clusters.ts";
import { writeManifests, type LiveStateObject } from "../eject/manifests.ts";
import { handBack, objectText, type StateObject } from "../eject/state.ts";
import { Lease } from "../lease.ts";
import { judgedServices, settingsOf } from "../release-settings.ts";
import { ReleaseStack } from "../stack.ts";
import { LeaseHeld } from "../try-again.ts";

export interface EjectOptions {
  readonly stack: string;
  /** Services as `namespace/name`. @default all of the stack */
  readonly service?: readonly string[];
  /** Folder into which the owners' manifests are written. */
  readonly out: string;
  /** Also while a canary has a part of the requests. @default false */
  readonly keepSplit?: boolean;
  /** Changes nothing. @default false */
  readonly dryRun?: boolean;
}

/** An entry of the config's services, as far as it says which one it is. */
const named = z.array(z.looseObject({ name: z.string(), namespace: z.string() }));
type Entry = z.infer<typeof named>[number];

const keyOf = (service: ServiceSettings) => serviceKey(idOf(service));

/** What makes a hand-over harmful, or leave something behind that goes on to change weights. */
async function problemsOf(
  settings: ReleaseSettings,
  clusters: readonly ClusterClient[],
  services: readonly ServiceSettings[],
  keepSplit: boolean,
): Promise<readonly string[]> {
  const { chain, guard } = settings;
  const deployed = await deployedIn(settings, clusters);
  const canaries = deployed.flatMap(({ name, routes }) =>
    services.flatMap((service) => {
      const { canary, weight = 0 } = routes.get(keyOf(service)) ?? {};
      return canary !== undefined && weight > 0
        ? [{ weight, text: `${keyOf(service)} in ${name}: ${canary} has ${weight} %` }]
        : [];
    }),
  );
  return [
    ...deployed.flatMap(({ name, unreachable }) =>
      unreachable === undefined ? [] : [`${name} cannot be read: ${unreachable}`],
    ),
    ...(chain
      ? ["the services are a chain, whose marks only work for all of it: remove chain first"]
      : []),
    ...(guard && canaries.length > 0
      ? [
          `guards would lower a canary that has requests: ${canaries.map(({ text }) => text).join(", ")}. Remove guard from the config first, and run pulumi up`,
        ]
      : []),
    ...(keepSplit
      ? []
      : canaries
          .filter(({ weight }) => weight < 100)
          .map(({ text }) => `${text}: set weight to 0 or 100 first, or pass --keep-split`)),
  ];
}

/** Reads every object, and has its API server try what is to be written. */
async function tried(
  clusters: readonly ClusterClient[],
  objects: readonly StateObject[],
): Promise<{ readonly live: readonly LiveStateObject[]; readonly problems: readonly string[] }> {
  const live: LiveStateObject[] = [];
  const problems: string[] = [];
  await Promise.all(
    objects.map(async (object) => {
      const cluster = clusters.find(({ name }) => name === object.cluster);
      try {
        if (!cluster) throw new Error("the config has no such cluster");
        const found = await readObject(cluster, object);
        await unmark(cluster, object, found, true);
        live.push({ ...object, live: found });
      } catch (error) {
        problems.push(`${objectText(object)}: ${explain(error)}`);
      }
    }),
  );
  return { live, problems: problems.toSorted() };
}

/**
 * Takes the program's marks off all objects, or off none.
 *
 * @throws with what could not be written, and what could not be undone
 */
async function unmarkAll(
  clusters: readonly ClusterClient[],
  objects: readonly LiveStateObject[],
): Promise<() => Promise<readonly string[]>> {
  const clientOf = (object: StateObject) => clusters.find(({ name }) => name === object.cluster);
  const undo = async () => {
    const results = await Promise.allSettled(
      objects.map(async (object) => {
        const cluster = clientOf(object);
        if (cluster) await markAgain(cluster, object, object.live);
      }),
    );
    return results.flatMap((result, i) => {
      const object = objects[i];
      return result.status === "rejected" && object
        ? [`${objectText(object)} could not be marked again: ${explain(result.reason)}`]
        : [];
    });
  };
  const results = await Promise.allSettled(
    objects.map(async (object) => {
      const cluster = clientOf(object);
      if (cluster) await unmark(cluster, object, object.live);
    }),
  );
  const failed = results.flatMap((result, i) => {
    const object = objects[i];
    return result.status === "rejected" && object
      ? [`${objectText(object)}: ${explain(result.reason)}`]
      : [];
  });
  if (failed.length > 0) throw refusal([...failed, ...(await undo())]);
  return undo;
}

function refusal(problems: readonly string[], options?: ErrorOptions): Error {
  return new Error(
    ["Nothing was handed back:", ...problems.map((each) => ` - ${each}`)].join("\n"),
    options,
  );
}

/** Runs it while no rollout of the stack does. */
async function whileNoRollout<T>(
  settings: ReleaseSettings,
  clusters: readonly ClusterClient[],
  stack: string,
  run: () => Promise<T>,
): Promise<T> {
  const namespaces = judgedServices(settings).map(({ namespace }) => namespace);
  // Without a canary there is nothing to roll out.
  if (namespaces.length === 0) return run();
  const lease = new Lease(clusters, namespaces, stack);
  try {
    await lease.take();
  } catch (error) {
    const why =
      error instanceof LeaseHeld
        ? `a rollout is running, by ${error.holder}: wait for its end, or stop it`
        : explain(error);
    throw refusal([why], { cause: error });
  }
  try {
    return await run();
  } finally {
    await lease.release();
  }
}

/** The services that the config names, right or wrong. */
function configuredServices(stack: ReleaseStack) {
  return named.parse(fromJson(stack.release.services ?? "[]"));
}

/** Finds a service's settings by its entry in the config. */
const settingsOfEntry = (all: readonly ServiceSettings[], entry: Entry) =>
  all.find((each) => keyOf(each) === serviceKey(idOf(entry)));

/**
 * What the entry of a service that stays must say, now that the config has no other services that said it: which hosts
 * are its own, and which of their paths are not. Otherwise the next update would lead requests to it that go elsewhere.
 *
 * @param gone the services that are handed back
 */
function keptEntry(
  entry: Entry,
  service: ServiceSettings | undefined,
  gone: readonly ServiceSettings[],
): Entry {
  if (!service || gone.every(({ ingressHosts }) => ingressHosts.length === 0)) return entry;
  const { ingressHosts, ingressPaths, ingressPathsOfOthers = [] } = service;
  const paths = gone
    .filter((other) => other.ingressHosts.some((host) => ingressHosts.includes(host)))
    .flatMap((other) => other.ingressPaths ?? []);
  return {
    ...entry,
    ingressHosts,
    ...(ingressPaths === undefined &&
      paths.length > 0 && { ingressPathsOfOthers: [...paths, ...ingressPathsOfOthers] }),
  };
}

/** The config without the services; without a canary no weight is allowed. */
async function takeOut(
  stack: ReleaseStack,
  gone: readonly ServiceSettings[],
  left: readonly ServiceSettings[],
): Promise<void> {
  const keys = gone.map(keyOf);
  const services = configuredServices(stack)
    .filter((each) => !keys.includes(serviceKey(idOf(each))))
    .map((each) => keptEntry(each, settingsOfEntry(left, each), gone));
  const hasCanary = left.some(({ canary }) => canary !== undefined);
  await stack.configure({
    ...stack.release,
    services: JSON.stringify(services),
    ...(!hasCanary && stack.release.weight !== undefined && { weight: "0" }),
  });
}

/**
 * Hands the routing of services back to their owners: writes what they apply from now on, takes off the objects what this
 * program knows them by, forgets them in Pulumi's state, and takes the services out of the config. Nothing is deleted,
 * and no request goes another way. Run again, it completes what was interrupted, or does nothing.
 *
 * @throws if it cannot be done in every cluster; it is done in none then
 */
export async function eject({
  stack: name,
  service = [],
  out,
  keepSplit = false,
  dryRun = false,
}: EjectOptions): Promise<void> {
  const stack = await ReleaseStack.open(name);
  const isAsked = (key: string) => service.length === 0 || service.includes(key);
  const keys = configuredServices(stack)
    .map((each) => serviceKey(idOf(each)))
    .filter(isAsked);
  // Without one the config of a stack with meshStack is not even valid.
  if (keys.length === 0) {
    console.log(
      `Stack ${name} has ${service.length === 0 ? "no service" : `no ${service.join(", ")}`}: nothing to hand back.`,
    );
    return;
  }
  const settings = settingsOf(stack);
  if (settings.away.length > 0) {
    throw new Error(
      `Nothing is handed back while ${allOf(settings.away)} ${settings.away.length === 1 ? "is" : "are"} away (key away): what is there could not be. Wait until every cluster answers; nothing was changed.`,
    );
  }
  const clusters = clustersOf(settings);
  const services = settings.services.filter((each) => isAsked(keyOf(each)));
  const left = settings.services.filter((each) => !services.includes(each));
  await whileNoRollout(settings, clusters, name, async () => {
    const problems = await problemsOf(settings, clusters, services, keepSplit);
    if (problems.length > 0) throw refusal(problems);
    const state = await stack.exportState();
    const { objects, rest } = handBack(
      state,
      services.map(idOf),
      clusters.map((cluster) => cluster.name),
      left.filter(isMade).map(({ namespace }) => namespace),
    );
    const found = await tried(clusters, objects);
    if (found.problems.length > 0) throw refusal(found.problems);
    if (dryRun) {
      console.log(
        ["Would be handed back:", ...objects.map((each) => ` - ${objectText(each)}`)].join("\n"),
      );
      return;
    }
    const files = await writeManifests(out, found.live);
    const undo = await unmarkAll(clusters, found.live);
    try {
      if (!isDeepStrictEqual(await stack.exportState(), state)) {
        throw new Error("another update has changed the stack meanwhile: run this command again");
      }
      await stack.importState(rest);
    } catch (error) {
      throw refusal([explain(error), ...(await undo())], { cause: error });
    }
    const notes = new UpdateNotes(clusters, settings, stack.shortName);
    await notes.read();
    const unnoted = await notes.configured({ ...settings, services: left }, notes.hasRetried);
    for (const [cluster, why] of unnoted) {
      console.error(`${cluster}: that the services are handed back could not be noted: ${why}`);
    }
    await takeOut(stack, services, left);
    console.log(
      [
        `Handed back: ${keys.join(", ")}. Requests go where they went, and this stack has no part in them any more.`,
        ...(files.length === 0 ? [] : ["Their owners apply from now on:"]),
        ...files.map((file) => ` - ${file}`),
        left.length === 0
          ? `No service is left in stack ${name}: pulumi destroy --stack ${name} deletes none of these objects.`
          : `pulumi preview --stack ${name} shows no change of these objects.`,
      ].join("\n"),
    );
  });
}
