import * as pulumi from "@pulumi/pulumi";
import type { RemadeObject } from "../components/remade-object.ts";
import { throwProblems } from "../components/throw-problems.ts";
import { Barrier } from "../fleet/barrier.ts";
import type { Rise } from "../fleet/checks/check.ts";
import { ClusterClient } from "../fleet/cluster-client.ts";
import { lower } from "../fleet/lower.ts";
import { raiseWeights } from "../fleet/raise-weights.ts";
import { readDeployed } from "../fleet/read-deployed.ts";
import type { DeployedCluster } from "../lib/deployed.ts";
import type { Needed } from "../lib/capacity.ts";
import { JOURNAL } from "../lib/journal.ts";
import { problemLine, type Problem } from "../lib/problems.ts";
import { ifStaysAway } from "../lib/release-rules.ts";
import { appliedByOthers } from "./applied-by-others.ts";
import { counted, mostStable, shrinkProblems, shrunk } from "./autoscaling.ts";
import { canaryOf, chainOfRise } from "./canaries.ts";
import type { ReleaseSettings } from "./config.ts";
import { exclusionWarnings } from "./excluded-sidecars.ts";
import { existingFindings } from "./existing-workloads.ts";
import { istioProblems } from "./existing-istio-problems.ts";
import { ingressFindings } from "./ingress-findings.ts";
import { takeLeavingVersionsOut } from "./leaving-versions.ts";
import { completion, type Registration } from "./left-out.ts";
import { AdoptedObjects } from "./adopted-objects.ts";
import { DeletedObjects } from "./deleted-objects.ts";
import { DrainedClusters } from "./drained-clusters.ts";
import { presentClusters } from "./present-clusters.ts";
import { planRelease, type PlannedRoute, type ReleasePlan } from "./release-plan.ts";
import { SAID_ELSEWHERE } from "./said-elsewhere.ts";
import { requiredProblems } from "./required-stack.ts";
import { joinHooks } from "./routing-records.ts";
import { removalProblems } from "./removed-services.ts";
import { SharedNamespaces } from "./shared-namespaces.ts";
import { UpdateNotes } from "./update-notes.ts";
import { limitsOf } from "./limits.ts";
import { WeightConfirmations, weightsAfter } from "./weight-confirmations.ts";
import { isMade } from "./workload.ts";

/** Longest wait for one answer of an API server, in milliseconds. */
const ANSWER_WITHIN_MS = 10_000;

/** The services whose canary's share rises, with the rules to be written. */
function risesOf({ mesh, services, quarantine }: ReleaseSettings, plan: ReleasePlan) {
  const { weight } = plan;
  return services.flatMap((service): Rise[] => {
    const canary = canaryOf(service, mesh.clusterDomain, plan.routes);
    const changes = plan.routes.flatMap((route) => {
      const { cluster, deployed, objects, rises } = route;
      return route.service === service && rises && deployed
        ? [[cluster, { route: deployed, rules: objects.rules }] as const]
        : [];
    });
    return canary && changes.length > 0
      ? [{ ...canary, weight, quarantine, changes: new Map(changes) }]
      : [];
  });
}

/** Tells in which clusters a note is missing. That does not fail an update. */
async function warnOf(failed: ReadonlyMap<string, string>, what: string): Promise<void> {
  for (const [cluster, why] of failed) await pulumi.log.warn(`${cluster}: ${what}: ${why}`);
}

/** A weight must not rise while nobody knows whether the canary was taken back: no journal says so. */
function unreadProblems(
  { weight }: ReleasePlan,
  clusters: readonly ClusterClient[],
  unread: ReadonlyMap<string, string>,
): readonly Problem[] {
  if (!clusters.every(({ name }) => unread.has(name))) return [];
  const why = [...unread].map(([name, reason]) => `${name}: ${reason}`).join("; ");
  return [
    {
      path: "weight",
      value: weight,
      rule: `must not rise while no journal can be read, which says whether the canary was taken back: ${why}`,
      fix: `Allow to get the ConfigMap ${JOURNAL} in the services' namespaces of at least one cluster (docs/permissions.md). A lower weight is always allowed.`,
    },
  ];
}

/** What is done once for all clusters, by the first hook that asks for it. */
type Action = "named" | "raised" | "lowered" | "first";

/**
 * Carries a plan out. Lower weights are in force when `prepare` is done. Higher ones are written by the
 * hook of the first VirtualService that Pulumi comes to, in all clusters or in none; what Pulumi then
 * writes is the same, so that it cannot half-happen.
 */
export class WeightChange {
  readonly plan: ReleasePlan;
  /** Routing objects that are made anew. */
  readonly deleted: DeletedObjects;
  /** Namespaces with objects of others. */
  readonly shared: SharedNamespaces;
  /** Routing objects of others that become the program's. */
  readonly #adopted: AdoptedObjects;
  readonly #settings: ReleaseSettings;
  readonly #clusters: readonly ClusterClient[];
  readonly #notes: UpdateNotes;
  readonly #barrier: Barrier;
  readonly #confirmations: WeightConfirmations;
  readonly #running = new Map<Action, Promise<void>>();

  private constructor(
    settings: ReleaseSettings,
    clusters: readonly ClusterClient[],
    notes: UpdateNotes,
    plan: ReleasePlan,
    deleted = DeletedObjects.NONE,
    shared = SharedNamespaces.NONE,
    adopted = AdoptedObjects.NONE,
  ) {
    this.deleted = deleted;
    this.shared = shared;
    this.#adopted = adopted;
    this.#settings = settings;
    this.#clusters = clusters;
    this.#notes = notes;
    this.plan = plan;
    this.#confirmations = new WeightConfirmations(settings, clusters, plan);
    this.#barrier = new Barrier(
      clusters,
      risesOf(settings, plan),
      limitsOf(settings),
      chainOfRise(settings, plan.routes),
    );
  }

  /**
   * Reads what is deployed, stops the program if it must not become what is configured, and lowers
   * at once, except in a preview, what is to be lowered. Warns where a canary that was taken back stays as it is.
   *
   * @param drained clusters that are to get nothing of the others, or get nothing yet. @default none
   */
  static async prepare(
    settings: ReleaseSettings,
    drained = DrainedClusters.NONE,
  ): Promise<WeightChange> {
    const clusters = presentClusters(settings).map(
      ({ name, context, kubeconfig, eastWestPort }) =>
        new ClusterClient({
          ...{ name, context, kubeconfig, eastWestPort },
          answerWithinMs: ANSWER_WITHIN_MS,
        }),
    );
    const services = settings.services.map(({ name, namespace, stable, canary }) => ({
      ...{ service: name, namespace },
      ...{ stable: stable.version, canary: canary?.version },
    }));
    const stack = pulumi.getStack();
    const notes = new UpdateNotes(clusters, settings, stack);
    const [deployed, journals] = await Promise.all([
      readDeployed(clusters, services),
      notes.read(),
    ]);
    const heading = `What is deployed does not allow this change (Pulumi.${stack}.yaml):`;
    // A lower weight does not wait for what else is asked.
    const early = new WeightChange(
      settings,
      clusters,
      notes,
      planRelease(settings, deployed, journals, stack),
    );
    const lowers = early.#falling.length > 0 && !pulumi.runtime.isDryRun();
    if (lowers) throwProblems(heading, early.plan.problems);
    const failed = lowers ? await early.#lower() : new Map<string, string>();
    // Whatever comes of this update: it was no stranger who has lowered these.
    await early.#note((name) => {
      const moves = early.plan.routes.filter(({ cluster }) => cluster === name);
      return (
        moves.some(({ falls }) => falls) && !moves.some(({ rises }) => rises) && !failed.has(name)
      );
    });
    const answering = clusters.filter(({ name }) =>
      deployed.some((each) => each.name === name && each.unreachable === undefined),
    );
    const [deleted, shared] = await Promise.all([
      DeletedObjects.find(settings, clusters, deployed),
      SharedNamespaces.find(answering, settings, journals, stack),
      drained.find(answering),
    ]);
    const plan = planRelease(settings, deployed, journals, stack, deleted);
    const adopted = await AdoptedObjects.find(settings, clusters, deployed, plan, journals, stack);
    const change = new WeightChange(
      { ...settings, closed: drained.closed(plan) },
      ...([clusters, notes, plan, deleted, shared, adopted] as const),
    );
    // Also those that are tried again: a guard forgets once there is another release, though nothing has risen.
    if (!pulumi.runtime.isDryRun()) {
      await warnOf(
        await notes.failed(plan.failed),
        "that canaries were taken back could not be noted",
      );
    }
    const { problems, warnings, stablePods } = await existingFindings(
      settings,
      clusters,
      deployed,
      plan,
      adopted,
    );
    const istio = istioProblems(settings, deployed, plan);
    // A lower weight does not wait for what hosts lack.
    const ingress = plan.routes.some(({ falls }) => falls)
      ? []
      : await ingressFindings(settings, answering);
    // Nor for what tells who confirms it.
    const excluded = plan.routes.some(({ falls }) => falls)
      ? []
      : await exclusionWarnings(settings, answering);
    const lowered = change.#falling.filter(({ cluster }) => !failed.has(cluster));
    const rises = plan.routes.some((route) => route.rises);
    throwProblems(
      lowers && lowered.length > 0 ? `The weight is ${weightsAfter(lowered)}. ${heading}` : heading,
      [
        ...plan.problems,
        ...shrinkProblems(plan, settings.allow),
        ...(rises ? unreadProblems(plan, clusters, notes.unread) : []),
        ...(await drained.problems(answering, deployed)),
        ...(await requiredProblems(settings, plan)),
        ...(await removalProblems(answering, settings, journals, stack)),
        ...change.shared.problems,
        ...istio.problems,
        ...problems,
        ...ingress,
      ],
    );
    await change.#noteNeeded(counted(plan, stablePods));
    if (!pulumi.runtime.isDryRun()) {
      await warnOf(
        await takeLeavingVersionsOut(plan, settings, clusters),
        "requests that ask for a version that goes may fail until this update is done, since not every route has left it",
      );
    }
    if (rises) {
      await warnOf(
        notes.unread,
        "what guards, rollouts and updates have noted cannot be read, so nobody knows whether it says that the canary was taken back",
      );
    }
    if (plan.warning !== undefined) await pulumi.log.warn(plan.warning);
    const others = appliedByOthers(plan);
    if (others !== undefined) await pulumi.log.warn(others);
    if (adopted.notice !== undefined) await pulumi.log.warn(adopted.notice);
    if (deleted.warning !== undefined) await pulumi.log.warn(deleted.warning);
    await warnOf(deleted.unread, "whether routing objects were deleted is not known");
    if (plan.made.length > 0) {
      await pulumi.log.warn(
        `Routes are made with 0 % for the canary: ${plan.made.map(({ key, cluster }) => `${key} in ${cluster}`).join(", ")}. Run pulumi up once more: then it rises there to ${plan.weight} %, with all checks.`,
      );
    }
    for (const warning of shrunk(plan, stablePods)) await pulumi.log.warn(warning);
    for (const warning of drained.warnings(plan)) await pulumi.log.warn(warning);
    for (const warning of excluded) await pulumi.log.warn(warning);
    if (istio.warnings.length > 0) {
      await pulumi.log.warn(
        ["Of the Istio that others have installed:", ...istio.warnings.map(problemLine)].join("\n"),
      );
    }
    if (warnings.length > 0) {
      await pulumi.log.warn(
        ["What others have made is not all there:", ...warnings.map(problemLine)].join("\n"),
      );
    }
    change.#stopIfIncomplete(deployed, failed);
    if (change.checksAhead) change.#barrier.lookAhead();
    return change;
  }

  /**
   * Resolves when every VirtualService is registered, and what is configured is noted. Fails if one is left out that had
   * to change: `--target` and `--exclude` keep its hook from running, and Pulumi takes that for a success.
   *
   * @param hasFailed whether a hook after a VirtualService was written has failed the update. @default none has
   */
  complete(
    registrations: readonly Registration[],
    hasFailed: () => boolean = () => false,
  ): pulumi.Output<void> {
    const made = pulumi.all(
      registrations.map(({ weights }) =>
        pulumi.recover(
          weights.urn.apply(() => true),
          () => false,
        ),
      ),
    );
    return pulumi.all([completion(registrations), made]).apply(async ([lagging, areMade]) => {
      if (lagging !== undefined) {
        if (this.#falling.length > 0 && !pulumi.runtime.isDryRun()) {
          await this.#once("lowered", () => this.#confirmations.lowered());
        }
        await pulumi.log.warn(lagging);
      }
      if (areMade.every(Boolean) && !hasFailed()) await this.#note(() => true);
    });
  }

  /** Notes what is configured in the clusters in which it is in force. */
  async #note(inForce: (cluster: string) => boolean): Promise<void> {
    if (pulumi.runtime.isDryRun()) return;
    const { allow } = this.#settings;
    const retries =
      allow.includes("retry-canary") &&
      (this.plan.forgives !== undefined || this.#notes.hasRetried);
    await warnOf(
      await this.#notes.configured(
        this.#settings,
        retries,
        (name) => inForce(name) && this.plan.made.every(({ cluster }) => cluster !== name),
      ),
      "what is configured could not be noted, so the next update does not see whether the weight is a new one",
    );
  }

  /**
   * Notes what services need for all requests, before an autoscaler takes pods away from stable.
   *
   * @param existing of those that others have made
   */
  async #noteNeeded(existing: ReadonlyMap<PlannedRoute, Needed>): Promise<void> {
    if (pulumi.runtime.isDryRun()) return;
    for (const [service, routes] of Map.groupBy(this.plan.routes, (route) => route.service)) {
      const needed = new Map(
        routes.flatMap((route) => {
          const { cluster, needed: here = existing.get(route), wanted } = route;
          const most = isMade(service) ? mostStable(service)?.most : undefined;
          return here && !here.isNoted && wanted.canary !== undefined
            ? [[cluster, { ...here, most }] as const]
            : [];
        }),
      );
      if (needed.size === 0) continue;
      await warnOf(
        await this.#notes.needed(service, needed),
        `how many pods ${service.namespace}/${service.name} needs for all requests could not be noted, so nobody knows it once stable has fewer`,
      );
    }
  }

  /** How an object of a cluster is registered, if it is gone or somebody else's. */
  remade(...[cluster, object]: Parameters<DeletedObjects["remade"]>): RemadeObject {
    const id = this.#adopted.idOf(cluster, object);
    if (id !== undefined) return { import: id };
    const own = this.#adopted.ownIdOf(cluster, object);
    return { ...this.deleted.remade(cluster, object), ...(own !== undefined && { import: own }) };
  }

  /** What has to happen around Pulumi's update of a route's VirtualService. */
  hooks(route: PlannedRoute): pulumi.ResourceHookBinding | undefined {
    const remake = this.remade(route.cluster, {
      ...{ kind: "VirtualService", namespace: route.service.namespace, name: route.service.name },
    });
    const hooks = this.#hooksOf(route);
    const own = remake.hooks ? joinHooks(remake.hooks, hooks) : hooks;
    if (!this.#confirmations.isToName(route)) return own;
    const known = () => this.#once("named", () => this.#confirmations.named());
    return {
      ...own,
      beforeCreate: [known, ...(own?.beforeCreate ?? [])],
      beforeUpdate: [known, ...(own?.beforeUpdate ?? [])],
    };
  }

  #hooksOf(route: PlannedRoute): pulumi.ResourceHookBinding | undefined {
    if (route.rises) {
      const hook = () => this.#once("raised", () => this.#raise());
      return { beforeCreate: [hook], beforeUpdate: [hook] };
    }
    if (route.falls) {
      return { afterUpdate: [() => this.#once("lowered", () => this.#confirmations.lowered())] };
    }
    const outdate = this.#barrier.rises.length > 0 ? [this.outdateChecks] : [];
    const first = route.isSecond
      ? [() => this.#once("first", () => this.#confirmations.first())]
      : [];
    const hooks = [...outdate, ...first];
    return hooks.length > 0 ? { beforeCreate: hooks, beforeUpdate: hooks } : undefined;
  }

  /** Whether a weight is about to rise, so that the checks begin before everything is registered. */
  get checksAhead(): boolean {
    return this.#barrier.rises.length > 0 && !pulumi.runtime.isDryRun();
  }

  /** Has the checks look again, since something has changed that they may have looked at. */
  readonly outdateChecks = (): void => {
    this.#barrier.outdate();
  };

  /** Runs `action` for the first who asks; all others wait for it and fail with it. */
  async #once(which: Action, action: () => Promise<void>): Promise<void> {
    const running = this.#running.get(which);
    if (running) {
      await running.catch(() => {
        throw new Error(SAID_ELSEWHERE);
      });
      return;
    }
    const started = action();
    this.#running.set(which, started);
    await started;
  }

  async #raise(): Promise<void> {
    if (this.plan.routes.some((route) => route.isSecond && route.rises)) {
      await this.#once("first", () => this.#confirmations.first());
    }
    if (this.plan.forgives !== undefined) {
      await warnOf(
        await this.#notes.retry(this.plan.forgives),
        "that the canary is tried again could not be noted, so a guard may take it back at once",
      );
    }
    const { raised, text } = await raiseWeights(this.#barrier);
    if (!raised) {
      await warnOf(
        await this.#notes.failed(this.plan.failed),
        "that canaries were taken back could not be noted",
      );
      throw new Error(text);
    }
    await pulumi.log.info(text);
  }

  get #falling(): readonly PlannedRoute[] {
    return this.plan.routes.filter(({ falls }) => falls);
  }

  #cluster(name: string): ClusterClient {
    const found = this.#clusters.find((each) => each.name === name);
    if (!found) throw new Error(`there is no cluster ${name}`);
    return found;
  }

  /** Lowers what is to be lowered; gives why it failed, by cluster. */
  async #lower(): Promise<ReadonlyMap<string, string>> {
    return lower(
      this.#falling.flatMap(({ cluster, service, wanted, deployed }) =>
        deployed && wanted.canary !== undefined
          ? [
              {
                cluster: this.#cluster(cluster),
                service: service.name,
                namespace: service.namespace,
                canary: wanted.canary,
                weight: wanted.weight,
                rules: deployed.rules,
              },
            ]
          : [],
      ),
    );
  }

  /** Fails the command when a cluster cannot be updated, after the others are safe. */
  #stopIfIncomplete(
    deployed: readonly DeployedCluster[],
    failed: ReadonlyMap<string, string>,
  ): void {
    const away = deployed.flatMap(({ name, unreachable }) => {
      const reason = unreachable ?? failed.get(name);
      return reason === undefined ? [] : [{ name, reason }];
    });
    if (away.length === 0) {
      this.#stopIfMixed();
      return;
    }
    const lowering = this.#falling.filter(({ cluster }) => !failed.has(cluster));
    throw new pulumi.RunError(
      [
        "Not every cluster can be updated:",
        ...away.map(({ name, reason }) => ` - ${name}: ${reason}`),
        ...(lowering.length === 0
          ? []
          : pulumi.runtime.isDryRun()
            ? [`To lower the weight to ${weightsAfter(lowering)}: pulumi up --skip-preview`]
            : [`The weight is ${weightsAfter(lowering)}.`]),
        `Fix ${away.map(({ name }) => name).join(", ")}, then run pulumi up again: it makes all clusters the same.${ifStaysAway(away.length, deployed.length - away.length)}`,
      ].join("\n"),
    );
  }

  /**
   * Where hosts of one service had different shares, what was too high is lower now. What is too low has changed
   * with the same write, so that it can only rise from what there is then.
   */
  #stopIfMixed(): void {
    const mixed = this.plan.routes.filter(({ rises, falls }) => rises && falls);
    if (mixed.length === 0 || pulumi.runtime.isDryRun()) return;
    throw new pulumi.RunError(
      [
        "Somebody changed the weight of individual hosts by hand. What was too high is lowered:",
        ...mixed.map(({ cluster, key, wanted }) => ` - ${cluster}: ${key}, to ${wanted.weight} %`),
        "Run pulumi up again: it raises the other hosts, in all clusters or in none.",
      ].join("\n"),
    );
  }
}
