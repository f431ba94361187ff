import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { throwProblems } from "../components/throw-problems.ts";
import type { Rise } from "../fleet/checks/check.ts";
import { ClusterClient } from "../fleet/cluster-client.ts";
import { confirmRules } from "../fleet/confirm-rules.ts";
import { confirmWeight } from "../fleet/confirm.ts";
import { lower } from "../fleet/lower.ts";
import { raiseWeights } from "../fleet/raise-weights.ts";
import { readDeployed } from "../fleet/read-deployed.ts";
import { serviceKey } from "../lib/names.ts";
import { switched } from "../fleet/switched.ts";
import { isTakenBack } from "../lib/chain-rules.ts";
import { replacesAnnotation, type DeployedCluster } from "../lib/deployed.ts";
import type { ChainRole } from "../lib/mark.ts";
import {
  falls,
  releaseProblems,
  rises,
  wantedIn,
  type Move,
  type Wanted,
} from "../lib/release-rules.ts";
import { roleIn } from "./chain.ts";
import { canaryOf, chainOfRise, hostsOf } from "./canaries.ts";
import type { ReleaseSettings } from "./config.ts";
import { completion, type Registration } from "./left-out.ts";
import { SAID_ELSEWHERE } from "./said-elsewhere.ts";
import { durationMs } from "./schema.ts";
import { wantedBy } from "./wanted.ts";

/** Longest wait for one answer of an API server, in milliseconds. */
const ANSWER_WITHIN_MS = 10_000;

/** What the clusters have after the moves: `10 % now in cluster-a and 0 % now in cluster-b`. */
function weightsAfter(moves: readonly Move[]): string {
  const weights = [...new Set(moves.map(({ wanted }) => wanted.weight))];
  return weights
    .map((weight) => {
      const there = moves.filter(({ wanted }) => wanted.weight === weight);
      return `${weight} % now in ${[...new Set(there.map(({ cluster }) => cluster))].join(", ")}`;
    })
    .join(" and ");
}

/** What is done once for all clusters, by the first hook that asks for it. */
type Action = "raised" | "lowered" | "first";

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}

/**
 * The way from what is deployed to what is configured. Lower weights are in force when `prepare` is
 * done. Higher ones are written by the hook of the first VirtualService that Pulumi comes to, in all
 * clusters or in none; what Pulumi then writes is the same, so that it cannot half-happen.
 */
export class WeightChange {
  readonly #settings: ReleaseSettings;
  readonly #clusters: readonly ClusterClient[];
  readonly #deployed: readonly DeployedCluster[];
  readonly #wanted: Wanted;
  readonly #rises: readonly Move[];
  readonly #falls: readonly Move[];
  /** The rules to be written, by cluster and service. */
  readonly #http = new Map<string, readonly unknown[]>();
  readonly #registrations: Registration[] = [];
  readonly #running = new Map<Action, Promise<void>>();

  private constructor(
    settings: ReleaseSettings,
    clusters: readonly ClusterClient[],
    deployed: readonly DeployedCluster[],
  ) {
    this.#settings = settings;
    this.#clusters = clusters;
    this.#deployed = deployed;
    this.#wanted = wantedBy(settings);
    this.#rises = rises(deployed, this.#wanted);
    this.#falls = falls(deployed, this.#wanted);
  }

  /**
   * Reads what is deployed, stops the program if it must not become what is configured, and lowers
   * at once, except in a preview, what is to be lowered.
   */
  static async prepare(settings: ReleaseSettings): Promise<WeightChange> {
    const clusters = settings.clusters.map(
      ({ name, context, kubeconfig }) =>
        new ClusterClient({ name, context, kubeconfig, answerWithinMs: ANSWER_WITHIN_MS }),
    );
    const services = settings.services.map(({ name, namespace }) => ({ service: name, namespace }));
    const deployed = await readDeployed(clusters, services);
    const change = new WeightChange(settings, clusters, deployed);
    throwProblems(
      `What is deployed does not allow this change (Pulumi.${pulumi.getStack()}.yaml):`,
      releaseProblems(deployed, change.#wanted),
    );
    const failed = pulumi.runtime.isDryRun() ? new Map<string, string>() : await change.#lower();
    change.#stopIfIncomplete(failed);
    return change;
  }

  #route(cluster: string, key: string) {
    const route = this.#wanted.routes.find((each) => each.key === key);
    return {
      wanted: route && wantedIn(this.#wanted, route, cluster),
      deployed: this.#deployed.find(({ name }) => name === cluster)?.routes.get(key),
    };
  }

  /** The value of the VirtualService's annotation that shows Pulumi a difference it cannot know of. */
  replaces(cluster: string, key: string): string | undefined {
    const { wanted, deployed } = this.#route(cluster, key);
    return wanted && replacesAnnotation(deployed, wanted);
  }

  /** Tells what is registered for a cluster's VirtualService. */
  registered(cluster: string, key: string, virtualService: k8s.apiextensions.CustomResource): void {
    const { wanted, deployed } = this.#route(cluster, key);
    // One that is new is part of no change of weights.
    if (!wanted || !deployed) return;
    const replaces = this.replaces(cluster, key);
    this.#registrations.push({ cluster, key, deployed, wanted, replaces, virtualService });
  }

  /**
   * Resolves when every VirtualService is registered, and fails if one is left out that had to change:
   * `--target` and `--exclude` keep its hook from running, and Pulumi takes that for a success.
   */
  complete(): pulumi.Output<void> {
    const moves = { rises: this.#rises, falls: this.#falls };
    return completion(this.#registrations, moves).apply(async (lagging) => {
      if (lagging === undefined) return;
      if (this.#falls.length > 0 && !pulumi.runtime.isDryRun()) {
        await this.#once("lowered", () => this.#confirmLower());
      }
      await pulumi.log.warn(lagging);
    });
  }

  /** Tells the rules that a cluster's VirtualService is to have. */
  declare(cluster: string, key: string, http: readonly unknown[]): void {
    this.#http.set(`${cluster} ${key}`, http);
  }

  /** What has to happen around Pulumi's update of a VirtualService. */
  hooks(cluster: string, key: string): pulumi.ResourceHookBinding | undefined {
    const concerns = (moves: readonly Move[]) =>
      moves.some((move) => move.cluster === cluster && move.wanted.key === key);
    if (concerns(this.#rises)) {
      const hook = () => this.#once("raised", () => this.#raise());
      return { beforeCreate: [hook], beforeUpdate: [hook] };
    }
    if (concerns(this.#falls)) {
      return { afterUpdate: [() => this.#once("lowered", () => this.#confirmLower())] };
    }
    const role = this.#wanted.routes.find((each) => each.key === key)?.role;
    if (role === undefined || role === this.firstRole) return undefined;
    const hook = () => this.#once("first", () => this.#confirmFirst());
    return { beforeCreate: [hook], beforeUpdate: [hook] };
  }

  /** The services of a chain whose routes change before the others'. */
  get firstRole(): ChainRole {
    return isTakenBack(this.#deployed, this.#wanted) ? "entry" : "follower";
  }

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

  /**
   * Waits until every Envoy has the routes that change first. Followers know what to do with a mark before
   * there is one; where it is the other way round, all is marked before anybody looks for it.
   */
  async #confirmFirst(): Promise<void> {
    const { services, chain, safety, mesh } = this.#settings;
    const results = await Promise.allSettled(
      this.#clusters.map(async (cluster) => {
        const rules = services.flatMap((service) => {
          const key = serviceKey({ service: service.name, namespace: service.namespace });
          const http = this.#http.get(`${cluster.name} ${key}`);
          return roleIn(chain, service) === this.firstRole && http
            ? [{ key, hosts: hostsOf(service, mesh.clusterDomain), http }]
            : [];
        });
        if (rules.length > 0) {
          await confirmRules(cluster, rules, durationMs(safety.confirmWithin));
        }
      }),
    );
    const late = results.flatMap((result) =>
      result.status === "rejected" ? [` - ${messageOf(result.reason)}`] : [],
    );
    if (late.length > 0) {
      throw new Error(
        [
          `The weight has risen in no cluster, since not every Envoy has the routes of ${this.firstRole === "entry" ? "the chain's entries" : "the chain's followers"} yet, which come first:`,
          ...late,
          "See istioctl proxy-status; a pod that stays behind has to be restarted, or its EnvoyFilter removed. Then run pulumi up again.",
        ].join("\n"),
      );
    }
  }

  async #raise(): Promise<void> {
    const { safety, mesh, services, weight, quarantine } = this.#settings;
    if (this.firstRole === "follower") await this.#once("first", () => this.#confirmFirst());
    const rising = services.flatMap((service): Rise[] => {
      const canary = canaryOf(service, mesh.clusterDomain);
      const own = this.#rises.filter(({ wanted }) => canary && wanted.key === serviceKey(canary));
      if (!canary || own.length === 0) return [];
      const changes = own.map(({ cluster, route }) => {
        const http = this.#http.get(`${cluster} ${serviceKey(canary)}`);
        if (!http) {
          throw new Error(`nobody has told the rules of ${serviceKey(canary)} in ${cluster}`);
        }
        return [cluster, { route, http }] as const;
      });
      return [{ ...canary, weight, quarantine, changes: new Map(changes) }];
    });
    const limits = {
      checkWithinMs: durationMs(safety.checkWithin),
      confirmWithinMs: durationMs(safety.confirmWithin),
      certificateDays: safety.certificateDays,
      clockSkewMs: durationMs(safety.clockSkew),
    };
    const chain = chainOfRise(this.#settings);
    const { raised, text } = await raiseWeights(this.#clusters, rising, limits, chain);
    if (!raised) throw new Error(text);
    await pulumi.log.info(text);
  }

  /** Lowers what is to be lowered; gives why it failed, by cluster. */
  async #lower(): Promise<ReadonlyMap<string, string>> {
    const services = this.#settings.services;
    return lower(
      this.#falls.flatMap(({ cluster, wanted, route }) => {
        const at = this.#clusters.find(({ name }) => name === cluster);
        const service = services.find(
          ({ name, namespace }) => serviceKey({ service: name, namespace }) === wanted.key,
        );
        return at && service && wanted.canary !== undefined
          ? [
              {
                cluster: at,
                service: service.name,
                namespace: service.namespace,
                canary: wanted.canary,
                weight: wanted.weight,
                http: route.http,
              },
            ]
          : [];
      }),
    );
  }

  /** Fails the command when a cluster cannot be updated, after the others are safe. */
  #stopIfIncomplete(failed: ReadonlyMap<string, string>): void {
    const away = this.#deployed.flatMap(({ name, unreachable }) => {
      const reason = unreachable ?? failed.get(name);
      return reason === undefined ? [] : [{ name, reason }];
    });
    if (away.length === 0) return;
    const lowering = this.#falls.filter(({ cluster }) => !failed.has(cluster));
    throw new pulumi.RunError(
      [
        "Not every cluster can be updated:",
        ...away.map(({ name, reason }) => ` - ${name}: ${reason}`),
        ...(lowering.length === 0
          ? []
          : pulumi.runtime.isDryRun()
            ? [`To lower the weight to ${weightsAfter(lowering)}: pulumi up --skip-preview`]
            : [`The weight is ${weightsAfter(lowering)}.`]),
        `Mend ${away.map(({ name }) => name).join(", ")}, then run pulumi up again: it makes all clusters the same.`,
      ].join("\n"),
    );
  }

  async #confirmLower(): Promise<void> {
    const { safety, mesh, services } = this.#settings;
    const results = await Promise.allSettled(
      this.#falls.map(async ({ cluster, wanted }) => {
        const at = this.#clusters.find(({ name }) => name === cluster);
        const service = services.find(
          ({ name, namespace }) => serviceKey({ service: name, namespace }) === wanted.key,
        );
        if (!at || !service || wanted.canary === undefined) return [];
        return confirmWeight(
          at,
          {
            hosts: hostsOf(service, mesh.clusterDomain),
            canary: wanted.canary,
            weight: wanted.weight,
          },
          durationMs(safety.confirmWithin),
        );
      }),
    );
    const late = results.flatMap((result) =>
      result.status === "rejected" ? [` - ${messageOf(result.reason)}`] : [],
    );
    if (late.length > 0) {
      throw new Error(
        [
          `The weight is ${weightsAfter(this.#falls)}, but not every Envoy follows:`,
          ...late,
          "See istioctl proxy-status; a pod that stays behind has to be restarted, or its EnvoyFilter removed.",
        ].join("\n"),
      );
    }
    const routes = results.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
    await pulumi.log.info(`The weight is ${weightsAfter(this.#falls)}: ${switched(routes)}.`);
  }
}
