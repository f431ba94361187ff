import * as pulumi from "@pulumi/pulumi";
import { throwProblems } from "../components/throw-problems.ts";
import { ClusterClient } from "../fleet/cluster-client.ts";
import { explain } from "../fleet/explain.ts";
import {
  findInjected,
  findIstiods,
  findProxies,
  type OwnWorkloads,
} from "../fleet/upgrade/find-revisions.ts";
import { findTags } from "../fleet/upgrade/find-tags.ts";
import { againstMove, againstRevision, type RevisionLook } from "../fleet/upgrade/upgraded.ts";
import {
  EAST_WEST_GATEWAY,
  INGRESS_GATEWAY,
  INGRESS_NAMESPACE,
  SYSTEM_NAMESPACE,
} from "../lib/names.ts";
import type { Problem } from "../lib/problems.ts";
import {
  DEFAULT_REVISION,
  labelledWith,
  revisionOf,
  revisionsIn,
  type Revision,
} from "../lib/revisions.ts";
import {
  concernedIn,
  movesIn,
  upgradeProblems,
  type FoundRevisions,
  type UpgradedCluster,
} from "../lib/upgrade-rules.ts";
import { until } from "../lib/until.ts";
import { workloadName } from "../lib/version-name.ts";
import type { ClusterAccess, ReleaseStackSettings, Settings } from "./config.ts";
import type { WhoCounts } from "../lib/who-counts.ts";
import { limitsOf } from "./limits.ts";
import { presentClusters } from "./present-clusters.ts";
import type { ReleasePlan } from "./release-plan.ts";
import { isMade } from "./workload.ts";

/** Longest wait for one answer of an API server, in milliseconds. */
const ANSWER_WITHIN_MS = 10_000;
/** Pause between two looks at what may heal, in milliseconds. */
const LOOK_EVERY_MS = 1_000;

type Configured = Settings | ReleaseStackSettings;

/** A cluster, how it is asked, and what changes there. */
interface Place {
  readonly client: ClusterClient;
  readonly upgraded: UpgradedCluster;
}

/** The Deployments that the program makes, by namespace. */
function ownWorkloads(settings: Configured): OwnWorkloads {
  const made = settings.services.filter(isMade).flatMap(({ name, namespace, stable, canary }) =>
    [stable, ...(canary ? [canary] : [])].map(({ version }) => ({
      namespace,
      name: workloadName(name, version),
    })),
  );
  const gateways =
    "meshStack" in settings
      ? []
      : [
          { namespace: SYSTEM_NAMESPACE, name: EAST_WEST_GATEWAY },
          ...(settings.ingress ? [{ namespace: INGRESS_NAMESPACE, name: INGRESS_GATEWAY }] : []),
        ];
  return new Map(
    [...Map.groupBy([...made, ...gateways], ({ namespace }) => namespace)].map(
      ([namespace, all]) => [namespace, all.map(({ name }) => name)],
    ),
  );
}

/** Whether the configuration says anything of revisions. */
function saysSomething(settings: Configured): boolean {
  const { dataPlane = [], clusters } = settings;
  return dataPlane.length > 0 || clusters.some(({ revisions, tags }) => revisions ?? tags);
}

/** What a cluster has; undefined if it has one control plane without a revision, and is to have no other. */
async function foundIn(
  client: ClusterClient,
  settings: Configured,
  wanted: readonly Revision[] | undefined,
): Promise<FoundRevisions | undefined> {
  const ofMesh = wanted !== undefined;
  const istiods = ofMesh ? await findIstiods(client) : new Map<string, string | undefined>();
  const isPlain = [...istiods].every(
    ([name, version = wanted?.[0]?.version]) =>
      name === DEFAULT_REVISION && version === wanted?.[0]?.version,
  );
  if (isPlain && !saysSomething(settings)) return undefined;
  const [of, workloads, proxies] = await Promise.all([
    ofMesh ? findTags(client) : { tags: {}, labels: new Map<string, string>() },
    findInjected(client, ownWorkloads(settings)),
    ofMesh ? findProxies(client) : [],
  ]);
  return { istiods, ...of, workloads, proxies };
}

function upgradedCluster(
  settings: Configured,
  { name, tags = {} }: ClusterAccess,
  found: FoundRevisions,
  revisions: readonly Revision[] | undefined,
): UpgradedCluster {
  const namespaces = [...ownWorkloads(settings).keys()].map(
    (namespace) =>
      [
        namespace,
        revisionOf(labelledWith(settings.dataPlane ?? [], name, namespace), tags),
      ] as const,
  );
  return { name, found, revisions, tags, namespaces: new Map(namespaces) };
}

/**
 * The part of an update that changes control planes, or what they inject. Before anything is registered it is refused
 * if it is not safe; at its end, what it has changed must be in sync.
 */
export class Upgrade {
  readonly #settings: Configured;
  readonly #places: readonly Place[];

  private constructor(settings: Configured, places: readonly Place[]) {
    this.#settings = settings;
    this.#places = places;
  }

  /** Reads what the clusters have, and stops the program if it must not become what is configured. */
  static async find(settings: Configured, plan: ReleasePlan): Promise<Upgrade> {
    // What others have installed they upgrade.
    if ("meshStack" in settings && "istio" in settings.meshStack) return new Upgrade(settings, []);
    const unread: Problem[] = [];
    const found = await Promise.all(
      presentClusters<ClusterAccess>(settings).map(async (access): Promise<readonly Place[]> => {
        const { name, context, kubeconfig } = access;
        const revisions = "meshStack" in settings ? undefined : revisionsIn(settings.mesh, name);
        try {
          const client = new ClusterClient({
            ...{ name, context, kubeconfig, answerWithinMs: ANSWER_WITHIN_MS },
          });
          const here = await foundIn(client, settings, revisions);
          return here
            ? [{ client, upgraded: upgradedCluster(settings, access, here, revisions) }]
            : [];
        } catch (error) {
          // Without these keys it is nothing that this update changes; that the cluster does not answer, others tell.
          if (saysSomething(settings)) {
            unread.push({
              path: "meshStack" in settings ? "dataPlane" : "mesh.revisions",
              rule: `must be known to be safe in ${name}, whose control planes cannot be read: ${explain(error)}`,
              fix: "Make the cluster answer, or give the kubeconfig's user the rights that docs/permissions.md lists.",
            });
          }
          return [];
        }
      }),
    );
    const upgrade = new Upgrade(settings, found.flat());
    const weights = plan.routes.map(({ cluster, key, deployed, wanted }) => ({
      ...{ cluster, key, wanted: wanted.weight },
      deployed: deployed?.weight ?? wanted.weight,
    }));
    const problems = upgradeProblems(
      upgrade.#places.map(({ upgraded }) => upgraded),
      weights,
      settings.allow,
    );
    throwProblems(`The mesh must not be upgraded like this (Pulumi.${pulumi.getStack()}.yaml):`, [
      ...unread,
      ...problems,
    ]);
    throwProblems(
      `The mesh is not ready for this step of its upgrade (Pulumi.${pulumi.getStack()}.yaml):`,
      (
        await upgrade.#against(({ upgraded }) =>
          // What this update installs is looked at when it is there.
          concernedIn(upgraded).filter(
            (revision) => !upgraded.revisions || upgraded.found.istiods.has(revision),
          ),
        )
      ).problems,
    );
    return upgrade;
  }

  /** Whether pods of a namespace get another revision in this update. */
  moves(namespace: string): boolean {
    return this.#places.some(({ upgraded }) =>
      movesIn(upgraded).some((move) => move.namespace === namespace),
    );
  }

  /**
   * Looks, once all resources are as they are to be, at what this update has changed.
   *
   * @param resources what the look waits for
   * @throws if something is not in sync in time, with what to do
   */
  complete(resources: readonly pulumi.Resource[]): pulumi.Output<void> {
    const concerned = this.#places.some(({ upgraded }) => concernedIn(upgraded).length > 0);
    if (!concerned || pulumi.runtime.isDryRun()) return pulumi.output(undefined);
    return pulumi.all(resources.map(({ urn }) => urn)).apply(async () => {
      const { problems, leftOut } = await this.#against(
        ({ upgraded }) => concernedIn(upgraded),
        true,
      );
      throwProblems(
        "This step of the upgrade is made, and not well. Go back by the config of before (docs/upgrades.md), or mend it:",
        problems,
      );
      const made = this.#places.flatMap(({ upgraded }) =>
        concernedIn(upgraded).map((revision) => `${revision} in ${upgraded.name}`),
      );
      await pulumi.log.info(
        [
          `This step of the upgrade is made: ${made.join(", ")} is in sync, with all proxies that ${leftOut.length === 0 ? "it has" : "count"}.`,
          ...leftOut,
        ].join("\n"),
      );
    });
  }

  /**
   * What speaks against revisions of each cluster, for as long as it may heal, and who was left out. As in a confirmation,
   * all proxies have the same time; those that are late then may be few enough.
   *
   * @param isMade whether what is to move has moved. @default it has not
   */
  async #against(
    revisionsOf: (place: Place) => readonly string[],
    isMade = false,
  ): Promise<{ readonly problems: readonly Problem[]; readonly leftOut: readonly string[] }> {
    const { closed = [] } = this.#settings;
    const present = presentClusters<ClusterAccess>(this.#settings).map(({ name }) => name);
    const apps = [
      ...this.#settings.services.map(({ name }) => name),
      ...[EAST_WEST_GATEWAY, INGRESS_GATEWAY],
    ];
    const { checkWithinMs, who } = limitsOf(this.#settings);
    const looks = this.#places.flatMap((place) =>
      revisionsOf(place).map((revision) => ({
        ...{ client: place.client, revision },
        // Nobody but its own istiod reads a cluster that is drained.
        must: present.filter((name) => name === place.client.name || !closed.includes(name)),
        moves: movesIn(place.upgraded).filter(({ to }) => isMade && to === revision),
      })),
    );
    const found = await Promise.all(
      looks.map(async ({ client, revision, must, moves }) => {
        const look = async (counting: WhoCounts): Promise<RevisionLook> => {
          const [{ against, leftOut }, ...moved] = await Promise.all([
            againstRevision(client, revision, must, counting),
            ...moves.map((move) => againstMove(client, move, apps, counting)),
          ]);
          return { against: [...against, ...moved.flat()], leftOut };
        };
        let last: RevisionLook = { against: [], leftOut: [] };
        try {
          await until(
            `revision ${revision}`,
            async () => {
              last = await look({ ...who, percent: 100 });
              if (last.against.length > 0) throw new Error(last.against.join("; "));
            },
            { timeoutMs: checkWithinMs, everyMs: LOOK_EVERY_MS },
          );
        } catch {
          if (who.percent < 100) last = await look(who);
        }
        return {
          problems: last.against.map((each) => ({
            path: `${revision} in ${client.name}`,
            rule: `must serve, and be in sync with all proxies that it has, but ${each}`,
            fix: `See kubectl -n ${SYSTEM_NAMESPACE} logs -l app=istiod,istio.io/rev=${revision}, and istioctl proxy-status.`,
          })),
          leftOut:
            last.leftOut.length === 0
              ? []
              : [`Left out in ${client.name}: ${last.leftOut.join("; ")}.`],
        };
      }),
    );
    return {
      problems: found.flatMap(({ problems }) => problems),
      leftOut: found.flatMap(({ leftOut }) => leftOut),
    };
  }
}
