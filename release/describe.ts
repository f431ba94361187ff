import type { ZeroedCluster } from "../fleet/to-zero.ts";
import { brief } from "../lib/brief.ts";
import { shareOf, type DeployedCluster, type DeployedRoute } from "../lib/deployed.ts";
import { servedIn } from "../lib/served.ts";
import { shares } from "../lib/weights.ts";
import { textTable } from "../lib/table.ts";
import type { State } from "./states.ts";

/** The versions of a state's services, a line each; those of a chain have the share of its entries. */
function versions({ services, weight }: State): string {
  const lines = services.map(({ service, stable, canary }) => {
    const parts = shares({ stable, canary, weight }).map(
      (each) => `${each.version} ${each.weight} %`,
    );
    return `${service}: ${parts.join(", ")}`;
  });
  return brief(lines, "\n");
}

/** States as a table, newest first. */
export function statesTable(states: readonly State[]): string {
  const table = textTable(["state", "time", "who", "result", "weight", "versions", "message"]);
  for (const state of states) {
    table.push([
      state.inForce ? `${state.number} (now)` : String(state.number),
      state.time.toISOString().replace("T", " ").replace(/\..*/, " UTC"),
      state.who,
      state.result,
      `${state.weight} %`,
      versions(state),
      state.message,
    ]);
  }
  return table.toString();
}

/** States for machines: without the configuration, which may be long. */
export function statesJson(states: readonly State[]): string {
  return JSON.stringify(
    states,
    (key, value: unknown) => (key === "release" ? undefined : value),
    2,
  );
}

/** What each cluster has after its canaries were to be taken back to 0 %, a line each. */
export function zeroedLines(clusters: readonly ZeroedCluster[]): readonly string[] {
  return clusters.flatMap(({ name, canaries, problem }) => {
    const confirmed = problem === undefined;
    const now = canaries.map(
      ({ key, canary, before, weight, envoys }) =>
        ` - ${name}: ${canary} of ${key} had ${before} %, its API server has ${weight === undefined ? "an unknown weight" : `${weight} %`} now${confirmed ? ` and so have its ${envoys} Envoys` : ""}`,
    );
    return confirmed ? now : [...now, ` - ${name} is not confirmed at 0 %: ${problem}`];
  });
}

/** What each version of a service gets: `v1 at 90 %, v2 at 10 %`. */
function sharesText(route: DeployedRoute): string {
  if (route.unnamed) return "all its pods at 100 %, whichever version they are";
  return [route.stable, ...(route.canary === undefined ? [] : [route.canary])]
    .map((version) => `${version} at ${shareOf(route, version)} %`)
    .join(", ");
}

/** What each cluster serves, a line each. */
export function servedLines(deployed: readonly DeployedCluster[]): readonly string[] {
  return deployed
    .map(servedIn)
    .flatMap(({ name, unreachable, routes }) =>
      unreachable === undefined
        ? [...routes].map(([key, route]) => ` - ${name}: ${key} has ${sharesText(route)}`)
        : [` - ${name}: cannot be read (${unreachable})`],
    );
}
