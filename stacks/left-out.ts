import * as pulumi from "@pulumi/pulumi";
import type * as k8s from "@pulumi/kubernetes";
import { sameShares, type DeployedRoute } from "../lib/deployed.ts";
import { routing } from "../lib/routing/index.ts";
import { shares, type Split } from "../lib/weights.ts";
import type { PlannedRoute } from "./release-plan.ts";

/** A route of the plan, and the resource with its weights. */
export interface Registration {
  readonly route: PlannedRoute;
  readonly weights: k8s.apiextensions.CustomResource;
}

/** One that is in its cluster already: one that is new is part of no change of weights. */
interface Known extends PlannedRoute {
  readonly deployed: DeployedRoute;
  readonly weights: k8s.apiextensions.CustomResource;
}

/**
 * For a resource that an update leaves out (`--target`, `--exclude`) the engine returns what is in its
 * state, and tells the program nothing else.
 */
function isLeftOut({ wanted, objects }: Known, spec: unknown, metadata: unknown): boolean {
  if (spec === undefined) return false;
  const { split, replaces } = routing.read({ spec, metadata });
  return (
    !split || !sameShares(split, wanted) || replaces !== routing.read(objects.weights).replaces
  );
}

/** What has come of a registration: written or right already, left as it was, or refused. */
type RegistrationOutcome = "done" | "left out" | "failed";

/** What has come of each registration, known when all of them have ended. */
function outcomes(registrations: readonly Known[]): pulumi.Output<readonly RegistrationOutcome[]> {
  return pulumi.all(
    registrations.map((registration) => {
      const { weights } = registration;
      const spec = Reflect.get(weights, "spec") as pulumi.Output<unknown>;
      // Each output fails by itself.
      return pulumi
        .all([orFailed(spec), orFailed(weights.metadata)])
        .apply(([has, metadata]): RegistrationOutcome => {
          if (metadata === "failed") return "failed";
          return isLeftOut(registration, has, metadata) ? "left out" : "done";
        });
    }),
  );
}

function orFailed<T>(output: pulumi.Output<T>): pulumi.Output<T | "failed"> {
  return pulumi.recover<T | "failed">(output, () => "failed");
}

/** Of what is left out, that which serves something else than is wanted, and will go on with it. */
function missing(left: readonly Known[], all: readonly Known[]): readonly Known[] {
  // The hook of one VirtualService raises the weight in all clusters; what falls has fallen before.
  const raised = all.some((each) => each.rises && !left.includes(each));
  return left.filter(
    (each) => !sameShares(each.deployed, each.wanted) && !(each.rises ? raised : each.falls),
  );
}

function told(split: Split): string {
  return shares(split)
    .map(({ version, weight }) => `${version} ${weight} %`)
    .join(" / ");
}

/** Why an update fails that has left out what it should have changed. */
function incompleteText(missing: readonly Known[]): string {
  return [
    "This update leaves out VirtualServices that have to change (--target or --exclude). They stay as they are:",
    ...missing.map(
      ({ cluster, key, deployed, wanted }) =>
        ` - ${cluster}: ${key} has ${told(deployed)} instead of ${told(wanted)}`,
    ),
    "Run pulumi up without --target and --exclude.",
  ].join("\n");
}

function names(registrations: readonly Known[]): string {
  return registrations.map(({ cluster, key }) => `${key} in ${cluster}`).join(", ");
}

/** Where to look when Pulumi has gone on after an error (`--continue-on-error`). */
function failedText(registrations: readonly Known[]): string {
  return (
    `Pulumi has not updated the VirtualService of ${names(registrations)}; the errors say why. ` +
    "Fix them, then run pulumi up again."
  );
}

/** What remains to be done after an update that has left out VirtualServices whose weights are right. */
function laggingText(registrations: readonly Known[]): string {
  return (
    `This update leaves out the VirtualService of ${names(registrations)} (--target or --exclude). ` +
    "All clusters have the same weight anyway; Pulumi's state lags until you run pulumi up without these flags."
  );
}

/**
 * Waits until every VirtualService is registered.
 *
 * @returns what an operator has to know of those that were left out without harm, or undefined
 * @throws if one has failed, or is left out and had to change
 */
export function completion(all: readonly Registration[]): pulumi.Output<string | undefined> {
  const registrations = all.flatMap(({ route, weights }): Known[] =>
    route.deployed ? [{ ...route, deployed: route.deployed, weights }] : [],
  );
  return outcomes(registrations).apply((each): string | undefined => {
    const having = (outcome: RegistrationOutcome) =>
      registrations.filter((_, i) => each[i] === outcome);
    const failed = having("failed");
    if (failed.length > 0) throw new pulumi.RunError(failedText(failed));
    const left = having("left out");
    const stay = missing(left, registrations);
    if (stay.length > 0) throw new pulumi.RunError(incompleteText(stay));
    return left.length === 0 ? undefined : laggingText(left);
  });
}
