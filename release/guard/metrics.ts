import { Counter, Gauge, Registry } from "@prometheus-io/client";
import type { GuardFile } from "../../stacks/guard-file.ts";
import { decides, type Verdict } from "../planner.ts";
import { awayFrom } from "./decide.ts";
import type { GuardLook } from "./guard.ts";

/** What a guard may do; see Action. */
const STATES = ["watch", "hold", "lower"] as const;
/** What its gates may say together. */
const OUTCOMES = ["pass", "hold", "fail"] as const;

/** What all gates say together: the worst of it. */
function outcomeOf(verdicts: readonly Verdict[]): (typeof OUTCOMES)[number] {
  const outcomes = verdicts.filter(decides).map(({ outcome }) => outcome);
  return outcomes.includes("fail") ? "fail" : outcomes.includes("hold") ? "hold" : "pass";
}

/** The metrics of a guard, which its cluster's Prometheus reads. That adds the labels cluster, namespace and pod. */
export class GuardMetrics {
  readonly #registry = new Registry();
  readonly #lastLook = this.#gauge(
    "last_look_timestamp_seconds",
    "When the guard of a cluster has looked at a canary last, as far as this guard knows",
    "guard",
    "destination_service_namespace",
    "destination_service_name",
    "destination_version",
  );
  readonly #weight = this.#gauge(
    "weight",
    "Highest percent that a canary of the release had when a cluster's API server answered last",
    "destination_cluster",
  );
  readonly #answers = this.#gauge(
    "cluster_answers",
    "Whether a cluster's API server has answered the last look",
    "destination_cluster",
  );
  readonly #cutOff = this.#gauge("cut_off", "Whether no other cluster has answered the last look");
  readonly #state = this.#gauge("state", "What the guard does: 1 for that", "state");
  readonly #failedLooks = this.#gauge(
    "failed_looks",
    "Looks at the gates that have failed in this phase",
  );
  readonly #gateLooks = this.#counter(
    "gate_looks_total",
    "Looks at the gates of the guard's own cluster, by what all of them said together",
    "outcome",
  );
  readonly #lowered = this.#counter(
    "lowered_total",
    "How often the guard has lowered the canaries of a cluster",
    "destination_cluster",
  );

  /** Media type of the text. */
  readonly contentType = this.#registry.contentType;

  constructor() {
    // A counter that begins at 1 has not risen.
    for (const outcome of OUTCOMES) this.#gateLooks.inc({ outcome }, 0);
  }

  /** All of them, in Prometheus' text format. */
  async text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** Takes in a look at the clusters. */
  looked(file: GuardFile, { at, startedAt, sights, failures, does }: GuardLook): void {
    // What an update has taken out is no more.
    for (const gauge of [this.#lastLook, this.#weight, this.#answers]) gauge.reset();
    const notes = [...sights.values()].flatMap(({ guards }) => guards);
    for (const cluster of file.clusters) {
      const told = notes.filter((note) => note.cluster === cluster).map((note) => note.at);
      // Of a guard that has told nothing yet, it is known for how long nobody has heard of it.
      const known = told.length === 0 ? startedAt : Math.max(...told);
      const lookedAt = cluster === file.cluster ? at : known;
      for (const { namespace, service, canary } of file.services) {
        const about = {
          guard: cluster,
          destination_service_namespace: namespace,
          destination_service_name: service,
          destination_version: canary,
        };
        this.#lastLook.set(about, lookedAt / 1_000);
      }
      const { answers = false, weight } = sights.get(cluster) ?? {};
      this.#answers.set({ destination_cluster: cluster }, answers ? 1 : 0);
      if (weight !== undefined) this.#weight.set({ destination_cluster: cluster }, weight);
      this.#lowered.inc({ destination_cluster: cluster }, 0);
    }
    const others = file.clusters.filter((cluster) => cluster !== file.cluster);
    const away = awayFrom(others, sights);
    this.#cutOff.set(others.length > 0 && away.length === others.length ? 1 : 0);
    this.#failedLooks.set(failures);
    for (const state of STATES) this.#state.set({ state }, state === does ? 1 : 0);
  }

  /** Takes in a look at the gates. */
  judged(verdicts: readonly Verdict[]): void {
    this.#gateLooks.inc({ outcome: outcomeOf(verdicts) });
  }

  /** Counts that a cluster has been lowered. */
  lowered(cluster: string): void {
    this.#lowered.inc({ destination_cluster: cluster });
  }

  #gauge<T extends string>(name: string, help: string, ...labelNames: T[]): Gauge<T> {
    const registers = [this.#registry];
    return new Gauge({ name: `istio_canary_guard_${name}`, help, labelNames, registers });
  }

  #counter<T extends string>(name: string, help: string, ...labelNames: T[]): Counter<T> {
    const registers = [this.#registry];
    return new Counter({ name: `istio_canary_guard_${name}`, help, labelNames, registers });
  }
}
