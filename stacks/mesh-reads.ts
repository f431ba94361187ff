import * as pulumi from "@pulumi/pulumi";
import { IstioControlPlane, RemoteSecret } from "../components/index.ts";
import { ClusterClient } from "../fleet/cluster-client.ts";
import { unreadNow, waitForReads } from "../fleet/remote-reads.ts";
import { within } from "../lib/within.ts";
import type { Settings } from "./config.ts";
import { presentClusters } from "./present-clusters.ts";
import type { ReleasePlan } from "./release-plan.ts";
import { joinHooks } from "./routing-records.ts";
import { durationMs } from "./schema.ts";

/** Longest wait for one answer of an API server, in milliseconds. */
const ANSWER_WITHIN_MS = 10_000;
/** Longest time of a look that only warns, in milliseconds. */
const GLANCE_WITHIN_MS = 5_000;
/** How long an istiod may take to see that a remote secret has changed, in milliseconds: it watches them. */
const SEEN_WITHIN_MS = 2_000;

const HEADING =
  "Not every istiod reads every other cluster, so clients there do not find its pods, and no weight rises:";

/**
 * At the end of an update of the mesh, every istiod must read every other cluster. No weight waits for it: what rises
 * has a check of its own before it does, and what falls needs none.
 */
export class MeshReads {
  readonly #settings: Settings;
  readonly #plan: ReleasePlan;
  readonly #hook: pulumi.ResourceHook;
  #isChanged = false;

  constructor(settings: Settings, plan: ReleasePlan) {
    this.#settings = settings;
    this.#plan = plan;
    this.#hook = new pulumi.ResourceHook("istio-canary-mesh-changes", () => {
      this.#isChanged = true;
    });
  }

  /** Sees what Pulumi changes of istiods and remote secrets. */
  readonly watch: pulumi.ResourceTransformation = ({ resource, props, opts }) => {
    const { parent } = opts as pulumi.CustomResourceOptions;
    if (
      !(resource instanceof pulumi.CustomResource) ||
      !(parent instanceof RemoteSecret || parent instanceof IstioControlPlane)
    ) {
      return undefined;
    }
    const own = { afterCreate: [this.#hook], afterUpdate: [this.#hook] };
    return { props, opts: { ...opts, hooks: joinHooks(opts.hooks, own) } };
  };

  /**
   * Gives the value on once every istiod reads every other cluster. A stack with services in which this update has
   * changed nothing of the mesh only warns, and does not look where a weight falls.
   *
   * @param after what must be done first: everything else
   */
  before<T>(value: T, ...after: pulumi.Input<unknown>[]): pulumi.Output<T> {
    return pulumi.all(after).apply<T>(() => this.#check().then(() => value));
  }

  async #check(): Promise<void> {
    const falls = this.#plan.routes.some((route) => route.falls);
    if (falls && !this.#isChanged) return;
    const clusters = presentClusters(this.#settings).map(
      ({ name, context, kubeconfig }) =>
        new ClusterClient({ name, context, kubeconfig, answerWithinMs: ANSWER_WITHIN_MS }),
    );
    if (!this.#isChanged && this.#settings.services.length > 0) {
      await this.#glance(clusters);
      return;
    }
    const lines = await waitForReads(clusters, {
      withinMs: durationMs(this.#settings.mesh.syncWithin),
      holdsMs: this.#isChanged ? SEEN_WITHIN_MS : 0,
      ...(this.#settings.closed && { closed: this.#settings.closed }),
    });
    if (lines.length === 0) return;
    throw new pulumi.RunError(
      [
        HEADING,
        ...lines.map((line) => ` - ${line}`),
        `All else of this update is done. Mend it, then run pulumi up again; it waits ${this.#settings.mesh.syncWithin} (key mesh.syncWithin).`,
      ].join("\n"),
    );
  }

  async #glance(clusters: readonly ClusterClient[]): Promise<void> {
    const late = "istiods did not answer in time";
    const lines = await within(
      GLANCE_WITHIN_MS,
      unreadNow(clusters, this.#settings.closed),
      late,
    ).catch(() => [late]);
    if (lines.length === 0) return;
    await pulumi.log.warn([HEADING, ...lines.map((line) => ` - ${line}`)].join("\n"));
  }
}
