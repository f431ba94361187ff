import { setTimeout } from "node:timers/promises";
import * as pulumi from "@pulumi/pulumi";
import { ClusterClient } from "../fleet/cluster-client.ts";
import { explain } from "../fleet/explain.ts";
import { isContent } from "../fleet/kubeconfig.ts";
import { deleteRecord, helmRecords, type FoundRecord } from "../fleet/helm-records.ts";
import {
  deleteCommand,
  HELM_WITHIN_MS,
  isPending,
  judgeRecords,
  recordText,
} from "../lib/helm-records.ts";
import { CNI_NAMESPACE, CNI_RELEASE, INGRESS_NAMESPACE, SYSTEM_NAMESPACE } from "../lib/names.ts";
import type { ClusterAccess } from "./config.ts";
import type { Mesh } from "./schema.ts";
import { joinHooks } from "./routing-records.ts";

const RELEASE = "kubernetes:helm.sh/v3:Release";
/** Pause between two looks at a Helm that may still be at work, in milliseconds. */
const LOOK_EVERY_MS = 2_000;
/** Longest wait for one answer of an API server, in milliseconds. */
const ANSWER_WITHIN_MS = 10_000;

/** A pending record, and the cluster that it is in. */
interface Pending {
  readonly access: ClusterAccess;
  readonly record: FoundRecord;
}

/** A release's place, as text: which one a record or a resource is about. */
function placeOf(cluster: string, namespace: unknown, release: unknown): string {
  return [cluster, namespace, release].map(String).join("/");
}

/** The command that deletes a record; of a kubeconfig's content it has nothing. */
function commandFor({ access: { context, kubeconfig }, record }: Pending): string {
  const isHidden = kubeconfig !== undefined && isContent(kubeconfig);
  return deleteCommand({ context, kubeconfig: isHidden ? "FILE" : kubeconfig }, record);
}

/** What a person has to find out and to do about a record that nothing goes on from by itself. */
function byHand({ access, record }: Pending): string {
  const command = commandFor({ access, record });
  return isPending(record)
    ? [
        `${access.name}: ${recordText(record)} was interrupted, and Pulumi's state knows a complete one that Helm does not.`,
        `Delete the record, then let Pulumi compare: ${command} && pulumi up --refresh`,
      ].join("\n")
    : [
        `${access.name}: there is a Helm release ${record.namespace}/${record.release} (${record.status}) that Pulumi's state does not know; Helm does not install a second one of that name.`,
        `If an update of this stack was killed as it installed it, delete the record, and Helm takes over what is there: ${command} && pulumi up`,
        "Otherwise somebody else has installed it, and nothing of it has changed.",
      ].join("\n");
}

/**
 * Helm releases of the mesh whose installation or upgrade was interrupted: an update was killed meanwhile. Helm takes
 * its record of it for another Helm at work, and refuses all that comes after. This stack's own update has the stack's
 * lock; once no Helm that an earlier one has started can be at work, the record is deleted, and Helm goes on.
 */
export class InterruptedReleases {
  readonly #clusters: ReadonlyMap<string, readonly [ClusterAccess, ClusterClient]>;
  #pending: readonly Pending[] = [];
  /** Releases that Pulumi has come to. */
  readonly #reached = new Set<string>();
  readonly #resources: pulumi.Resource[] = [];

  private constructor(clusters: readonly ClusterAccess[]) {
    this.#clusters = new Map(
      clusters.map((access) => {
        const { name, context, kubeconfig } = access;
        const reach = { name, context, kubeconfig, answerWithinMs: ANSWER_WITHIN_MS };
        return [name, [access, new ClusterClient(reach)]];
      }),
    );
  }

  /** Looks for them in all clusters. What cannot be read, Helm will say. */
  static async find(
    clusters: readonly ClusterAccess[],
    { cni }: Pick<Mesh, "cni"> = {},
  ): Promise<InterruptedReleases> {
    const made = new InterruptedReleases(clusters);
    const pending = "status in (pending-install,pending-upgrade,pending-rollback)";
    const places = [
      { namespace: SYSTEM_NAMESPACE, selector: pending },
      { namespace: INGRESS_NAMESPACE, selector: pending },
      // The releases beside it are others'.
      ...(cni === "installed"
        ? [{ namespace: CNI_NAMESPACE, selector: `${pending},name=${CNI_RELEASE}` }]
        : []),
    ];
    const found = await Promise.all(
      [...made.#clusters.values()].flatMap(([access, cluster]) =>
        places.map(async ({ namespace, selector }) => {
          const records = await helmRecords(cluster, namespace, selector).catch(() => []);
          return records.map((record) => ({ access, record }));
        }),
      ),
    );
    made.#pending = found.flat();
    return made;
  }

  /** Tells a preview what an update is going to do. */
  async warn(): Promise<void> {
    if (this.#pending.length === 0 || !pulumi.runtime.isDryRun()) return;
    await pulumi.log.warn(
      [
        "An update of the mesh was interrupted, or is still at work:",
        ...this.#pending.map(
          ({ access, record }) =>
            ` - ${access.name}: ${recordText(record)}; its record: ${commandFor({ access, record })}`,
        ),
        `pulumi up goes on from what was complete. It first waits until no Helm can be at work any more, which is ${HELM_WITHIN_MS / 60_000} minutes after it began; a lower weight does not wait. If the update was killed with all its processes, delete the records by these commands, and nothing waits.`,
      ].join("\n"),
    );
  }

  /** Has the releases among a component's resources looked at before Helm begins. */
  before(cluster: string): pulumi.ResourceTransformation {
    return ({ resource, type, props, opts }) => {
      if (type !== RELEASE) return undefined;
      this.#resources.push(resource);
      const look =
        (operation: "create" | "update"): pulumi.ResourceHookFunction =>
        async ({ newInputs = {} }) => {
          const { namespace, name } = newInputs as Readonly<Record<string, unknown>>;
          this.#reached.add(placeOf(cluster, namespace, name));
          await this.#clear(cluster, String(namespace), String(name), operation);
        };
      const hooks = { beforeCreate: [look("create")], beforeUpdate: [look("update")] };
      return { props, opts: { ...opts, hooks: joinHooks(hooks, opts.hooks) } };
    };
  }

  /** Names, once all releases have ended, what Pulumi has seen no reason to change though it is not complete. */
  warnOfRest(): pulumi.Output<void> {
    if (this.#pending.length === 0 || pulumi.runtime.isDryRun()) return pulumi.output(undefined);
    const ended = this.#resources.map(({ urn }) =>
      pulumi.recover(
        urn.apply(() => true),
        () => false,
      ),
    );
    return pulumi.all(ended).apply(async () => {
      for (const each of this.#pending) {
        const { namespace, release } = each.record;
        if (this.#reached.has(placeOf(each.access.name, namespace, release))) continue;
        await pulumi.log.warn(
          `${byHand(each)}\nIf this update leaves the release out (--target, --exclude), run pulumi up without the flag instead.`,
        );
      }
    });
  }

  async #clear(
    name: string,
    namespace: string,
    release: string,
    operation: "create" | "update",
  ): Promise<void> {
    const [access, cluster] = this.#clusters.get(name) ?? [];
    if (!access || !cluster) throw new Error(`there is no cluster ${name}`);
    for (let told = false; ;) {
      let records: readonly FoundRecord[];
      try {
        records = await helmRecords(cluster, namespace, `name=${release}`);
      } catch {
        // Helm needs the same, and says what is wrong.
        return;
      }
      const now = new Date(Date.now() + (cluster.clockAheadMs ?? 0));
      const verdict = judgeRecords(records, operation, now);
      const record = records.find(
        (each) => verdict.kind !== "clear" && each.secret === verdict.record.secret,
      );
      if (!record) return;
      if (verdict.kind === "unclear") throw new Error(byHand({ access, record }));
      if (verdict.kind === "interrupted") {
        if (!(await this.#delete({ access, record }, cluster))) continue;
        await pulumi.log.info(
          `${name}: ${recordText(record)} was interrupted. Its record is deleted; Helm goes on from what was complete.`,
        );
        return;
      }
      if (verdict.kind === "wait" && !told) {
        await pulumi.log.warn(
          // In one line: Pulumi shows the others only when the update has ended.
          `${name}: ${recordText(record)} was interrupted, or is still at work. This update waits until it has ended, at most until ${verdict.until.toISOString()}, then goes on. If the update that began it was killed with all its processes, do not wait: ${commandFor({ access, record })}`,
        );
        told = true;
      }
      await setTimeout(LOOK_EVERY_MS);
    }
  }

  async #delete({ access, record }: Pending, cluster: ClusterClient): Promise<boolean> {
    try {
      return await deleteRecord(cluster, record);
    } catch (error) {
      throw new Error(
        `${access.name}: ${recordText(record)} was interrupted, and its record cannot be deleted: ${explain(error)}. Have somebody run ${commandFor({ access, record })}, then run pulumi up again.`,
        { cause: error },
      );
    }
  }
}
