import { brief } from "../../lib/brief.ts";
import { durationMs } from "../../lib/duration.ts";
import { shares } from "../../lib/weights.ts";
import { servedLines } from "../describe.ts";
import { findDestination, type Config, type Destination } from "../destination.ts";
import { clustersOf, deployedIn } from "../clusters.ts";
import { compare, expectationsOf } from "../proof.ts";
import { NotConfirmed } from "../exit-codes.ts";
import { inForce } from "../in-force.ts";
import { reason } from "../reason.ts";
import { ReleaseStack } from "../stack.ts";
import type { State } from "../states.ts";

export interface RollbackOptions {
  readonly stack: string;
  /** Number of a state, `previous`, or `zero`. */
  readonly to: string;
  /** Shows what would be done, and changes nothing. */
  readonly dryRun?: boolean;
}

/** What a configuration gives each version; in a chain the followers have the share of the entries. */
function routed({ settings: { services, weight } }: Config): string {
  const lines = services.map(({ name, namespace, stable, canary }) => {
    const split = { stable: stable.version, canary: canary?.version, weight };
    const parts = shares(split).map((share) => `${share.version} ${share.weight} %`);
    return `${namespace}/${name}: ${parts.join(", ")}`;
  });
  return brief(lines, "; ");
}

function announce({ name, config }: Destination, steps: readonly { readonly config: Config }[]) {
  console.log(`rollback to ${name} (${routed(config)})`);
  if (steps.length === 1) return;
  console.log(
    `There were promotions since then, so this takes ${steps.length} updates, none of which raises a share:`,
  );
  for (const [i, step] of steps.entries()) console.log(` ${i + 1}. ${routed(step.config)}`);
}

/**
 * The configuration there is, or the one in force if somebody has made it wrong since: that must not
 * stand in the way back.
 */
async function configuredIn(
  stack: ReleaseStack,
  to: string,
): Promise<{ current: Config; states: readonly State[] }> {
  const { release } = stack;
  const found = stack.settings(release);
  if ("settings" in found) {
    const current = { release, settings: found.settings };
    return { current, states: to === "zero" ? [] : await stack.states() };
  }
  const states = await stack.states();
  const now = states.find(({ inForce }) => inForce);
  const applied = now && stack.settings(now.release);
  if (now && applied && "settings" in applied) {
    return { current: { release: now.release, settings: applied.settings }, states };
  }
  throw new Error(
    [`The configuration of stack ${stack.name} is invalid:`, ...found.problems].join("\n"),
  );
}

/**
 * Restores the release's configuration of an earlier state, applies it in every cluster, and proves
 * that each routes as it did then.
 *
 * @throws if there is no way back, or an update fails; NotConfirmed if the weight is not in force everywhere
 */
export async function rollback({ stack: name, to, dryRun }: RollbackOptions): Promise<void> {
  const stack = await ReleaseStack.open(name);
  const { current, states } = await configuredIn(stack, to);
  const clusters = clustersOf(current.settings);
  const deployed = await deployedIn(current.settings, clusters);
  const destination = findDestination(to, {
    current,
    states,
    deployed,
    read: (release) => stack.settings(release),
  });
  const { plan, config } = destination;
  if (!plan.steps) {
    throw new Error(
      [`There is no way back to ${destination.name}; nothing was changed:`, ...plan.problems].join(
        "\n",
      ),
    );
  }
  announce(destination, plan.steps);
  if (dryRun) return;

  const expectations = await expectationsOf(
    config.settings,
    clusters.filter((cluster) =>
      deployed.some((each) => each.name === cluster.name && each.unreachable === undefined),
    ),
  );
  for (const [i, step] of plan.steps.entries()) {
    const part = plan.steps.length > 1 ? `, ${i + 1} of ${plan.steps.length}` : "";
    await stack.configure(step.config.release);
    try {
      await stack.up(`rollback to ${destination.name}${part}`);
    } catch (error) {
      const now = await deployedIn(config.settings, clusters);
      throw new Error(
        [
          `The rollback to ${destination.name} is not complete${part}.`,
          reason(error),
          "Current state of the clusters:",
          ...servedLines(now),
          ...(to === "zero"
            ? ["If Pulumi does not work, a kubeconfig is enough: npm run release -- zero"]
            : []),
          `The config stays at ${routed(step.config)}. Fix the cause, then run: ` +
            `npm run release -- rollback --stack ${name} --to ${destination.to}`,
        ].join("\n"),
        { cause: error },
      );
    }
  }

  // That Pulumi has succeeded says nothing: another command may have written meanwhile.
  const found = await inForce(config.settings, clusters);
  for (const line of found.lines) console.log(line);
  if (found.problems.length > 0) {
    throw new NotConfirmed(
      [
        `The rollback to ${destination.name} is not confirmed in every cluster:`,
        ...found.problems.map((line) => ` - ${line}`),
        "Fix what is named, then run the same command again.",
      ].join("\n"),
    );
  }
  const verdicts = await Promise.all(
    expectations.map((each) => compare(each, durationMs(config.settings.safety.confirmWithin))),
  );
  for (const line of verdicts.flatMap(({ lines }) => lines)) console.log(line);
  if (verdicts.some(({ same }) => !same)) {
    throw new Error(
      `The weights are those of ${destination.name}, but something else differs: see above.`,
    );
  }
}
