import type { DeployedCluster } from "../lib/deployed.ts";
import type { Problem } from "../lib/problems.ts";
import type { ReleaseSettings } from "./config.ts";
import type { ReleasePlan } from "./release-plan.ts";

/**
 * What the Istio that others have installed means for an update. One that lowers a weight goes on whatever it lacks: only
 * what objects are made from must be known.
 *
 * @param deployed where clusters that do not answer at all are told of
 */
export function istioProblems(
  { istioFindings = [] }: Pick<ReleaseSettings, "istioFindings">,
  deployed: readonly DeployedCluster[],
  { routes }: Pick<ReleasePlan, "routes">,
): { readonly problems: readonly Problem[]; readonly warnings: readonly Problem[] } {
  const falls = routes.some((route) => route.falls);
  const away = deployed.flatMap(({ name, unreachable }) =>
    unreachable === undefined ? [] : [name],
  );
  const stops = ({ kind }: (typeof istioFindings)[number]) =>
    kind === "harm" || (kind === "problem" && !falls);
  const findings = istioFindings.filter(({ unread = "" }) => !away.includes(unread));
  const bare = ({ path, value, rule, fix }: Problem): Problem => ({ path, value, rule, fix });
  return {
    problems: findings.filter(stops).map(bare),
    warnings: findings.filter((each) => !stops(each)).map(bare),
  };
}
