import path from "node:path";
import { execa } from "execa";
import { deployedIn } from "../clusters.ts";
import { heldWeight, type WeightSources } from "../held-weight.ts";
import { phaseWeights } from "../observer.ts";
import { NoCanary, openRelease, type OpenRelease } from "../open.ts";
import { releaseName } from "../release-settings.ts";
import type { ReleaseStack } from "../stack.ts";

export interface WeightOptions {
  readonly stack: string;
  /** The commit before the change that is about to be carried out. @default the change is not about the weight */
  readonly since?: string;
}

/** How Git writes that there was no commit before: the first push of a branch. */
const NO_COMMIT = /^0+$/;

/**
 * Puts the weight that a rollout holds in the clusters into the stack's config file, unless the change since a commit is
 * about the weight: what runs an update of it then, undoes no rollout. It changes nothing but the file.
 *
 * @throws if a cluster cannot be read or the clusters differ, or the commit is not known
 */
export async function weight({ stack: name, since }: WeightOptions): Promise<void> {
  let release;
  try {
    release = await openRelease(name);
  } catch (error) {
    if (!(error instanceof NoCanary)) throw error;
    console.log("No service has a canary: the weight stays as the config has it.");
    return;
  }
  const { stack, settings } = release;
  const before = since === undefined ? undefined : { weight: await weightAt(stack, since) };
  const { weight: found, says } = heldWeight({
    stack: name,
    config: settings.weight,
    ...(before && { before }),
    release: releaseName(settings),
    // A weight that the change sets waits for no cluster.
    ...(before && before.weight !== settings.weight ? NOTHING : await inClusters(release)),
  });
  if (found !== settings.weight) await stack.setWeight(found);
  console.log(says);
}

const NOTHING: Pick<WeightSources, "progress" | "clusters"> = { progress: undefined, clusters: [] };

/** @throws if a cluster cannot be read */
async function inClusters({
  settings,
  clusters,
  journal,
}: OpenRelease): Promise<Pick<WeightSources, "progress" | "clusters">> {
  const [deployed, { progress }] = await Promise.all([
    deployedIn(settings, clusters),
    journal.read(),
  ]);
  const away = deployed.filter(({ unreachable }) => unreachable !== undefined);
  if (away.length > 0) {
    throw new Error(
      `It is not known which weight a rollout holds:\n${away.map((each) => ` - ${each.name}: ${each.unreachable ?? ""}`).join("\n")}`,
    );
  }
  return {
    progress,
    clusters: deployed.map((cluster) => ({
      name: cluster.name,
      weights: phaseWeights(settings, cluster),
    })),
  };
}

/** The weight that the config file had at a commit, wherever it was; undefined if it did not have one. */
async function weightAt(stack: ReleaseStack, commit: string): Promise<number | undefined> {
  if (NO_COMMIT.test(commit)) return undefined;
  const { dir, base } = path.parse(stack.configFile);
  const git = async (...args: readonly string[]) =>
    execa("git", args, { cwd: dir, reject: false, stripFinalNewline: false });
  const known = await git("cat-file", "-e", `${commit}^{commit}`);
  if (known.failed) {
    throw new Error(
      `--since: Git does not know the commit ${commit} here. Fetch the history first: fetch-depth: 0 of actions/checkout, GIT_DEPTH: 0 in GitLab. Git says: ${known.stderr.trim() || known.shortMessage}`,
    );
  }
  const shown = await git("show", `${commit}:./${base}`);
  if (!shown.failed) return stack.weightIn(shown.stdout);
  // It may have had another name or folder: the change is then not about the weight.
  const prefix = (await git("rev-parse", "--show-prefix")).stdout.trim();
  const moved = await git(
    ...["diff", "--find-renames", "--diff-filter=R", "--name-status", "-z", commit, "HEAD"],
  );
  const names = moved.stdout.split("\0");
  const before = names[names.indexOf(`${prefix}${base}`) - 1];
  if (before === undefined) return undefined;
  return stack.weightIn((await git("show", `${commit}:${before}`)).stdout);
}
