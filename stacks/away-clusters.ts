import * as pulumi from "@pulumi/pulumi";
import { throwProblems } from "../components/throw-problems.ts";
import { exclusionFlags } from "../lib/away.ts";
import { allOf } from "../lib/enumerate.ts";
import { clusterProvider } from "./cluster-provider.ts";
import { lastTraffic, type ServiceShares } from "./kept-versions.ts";
import type { ReleaseSettings } from "./config.ts";
import { LastUpdate } from "./last-update.ts";
import { clusterOutput, type ClusterOutput } from "./mesh-stack.ts";

/** Stands for the resources of a cluster that is away: it is left out if they are, and never made. */
class LeftOut extends pulumi.ComponentResource {
  constructor(cluster: string, opts: pulumi.ComponentResourceOptions) {
    super("istio-canary:mesh:AwayCluster", `away-${cluster}`, {}, opts);
  }
}

/** Why an update does not begin that would work on a cluster that is away, and how it is to be run. */
function notLeftOutText(away: readonly string[]): string {
  const flags = exclusionFlags(away);
  const stack = pulumi.getStack();
  return [
    `The config says that ${allOf(away)} ${away.length === 1 ? "is" : "are"} away, but this command does not leave out what is there. Run it as:`,
    `  pulumi up --stack ${stack} ${flags}`,
    "The commands of npm run release do so by themselves. Once the API server answers again: pulumi config rm away && pulumi up",
  ].join("\n");
}

/**
 * The clusters that are away. Nothing there is registered: what Pulumi leaves out keeps its dependencies in the state, and
 * these would have to be registered before it, though they may be of versions that are gone from the config. Pulumi
 * leaves all that as it is, if it is told to; it does not tell the program whether it was. What is known of these
 * clusters is what the last complete update has said.
 */
export class AwayClusters {
  readonly #away: readonly string[];
  readonly #known: ReadonlyMap<string, ClusterOutput>;

  private constructor(away: readonly string[], known: ReadonlyMap<string, ClusterOutput>) {
    this.#away = away;
    this.#known = known;
  }

  /**
   * Reads what the stack's last complete update has said of them.
   *
   * @param last that update
   * @throws if it has said nothing of one of them
   */
  static async find(
    { away }: Pick<ReleaseSettings, "away">,
    last = new LastUpdate(),
  ): Promise<AwayClusters> {
    if (away.length === 0) return new AwayClusters([], new Map());
    const said = (await last.clusters()) as Readonly<Record<string, unknown>> | undefined;
    const found = new Map(
      away.flatMap((cluster) => {
        const parsed = clusterOutput.safeParse(said?.[cluster]);
        return parsed.success ? [[cluster, parsed.data] as const] : [];
      }),
    );
    throwProblems(
      `A cluster cannot be left out (Pulumi.${pulumi.getStack()}.yaml):`,
      away.flatMap((cluster, i) =>
        found.has(cluster)
          ? []
          : [
              {
                path: `away[${i}]`,
                value: cluster,
                rule: "must be a cluster that this stack has been updated in",
                fix: `Its last complete update says nothing of it. Take it out of the config until it answers: pulumi config rm --path 'away[${i}]'`,
              },
            ],
      ),
    );
    return new AwayClusters(away, found);
  }

  /** Addresses of their east-west gateways, by name. */
  get gateways(): ReadonlyMap<string, readonly string[]> {
    return new Map([...this.#known].map(([name, { gateways }]) => [name, gateways.eastWest]));
  }

  /** What the last complete update has said of a cluster. @returns undefined if it is not away */
  known(cluster: string): ClusterOutput | undefined {
    return this.#known.get(cluster);
  }

  /** Percent of requests by version, by `namespace/service`, in each of them. */
  get traffic(): Readonly<Record<string, ServiceShares>> {
    return lastTraffic(this.#away, Object.fromEntries(this.#known));
  }

  /**
   * Fails the update, and its preview, unless Pulumi leaves their resources out. A resource that is left out runs no hook;
   * one that stands for theirs has a hook that fails.
   */
  async mustBeLeftOut({ clusters }: Pick<ReleaseSettings, "clusters">): Promise<void> {
    const refuse = new pulumi.ResourceHook(
      "istio-canary-away",
      () => {
        throw new Error(notLeftOutText(this.#away));
      },
      { onDryRun: true },
    );
    for (const cluster of clusters.filter(({ name }) => this.#away.includes(name))) {
      const provider = clusterProvider(cluster);
      const hooks = { beforeCreate: [refuse] };
      const standing = new LeftOut(cluster.name, { dependsOn: [provider], hooks });
      // One error says it all.
      await new Promise<void>((resolve, reject) => {
        pulumi.recover(
          standing.urn.apply(() => {
            resolve();
          }),
          reject,
        );
      });
    }
  }
}
