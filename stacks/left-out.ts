import * as pulumi from "@pulumi/pulumi";
import type * as k8s from "@pulumi/kubernetes";
import { splitOf, sameShares, type DeployedRoute } from "../lib/deployed.ts";
import { REPLACES } from "../lib/manifests/routing-annotations.ts";
import type { Move } from "../lib/release-rules.ts";
import { shares, type Split } from "../lib/weights.ts";

/** A VirtualService that is in a cluster already, and what this program registers for it. */
export interface Registration {
  readonly cluster: string;
  /** The service, as `namespace/service`. */
  readonly key: string;
  readonly deployed: DeployedRoute;
  readonly wanted: Split;
  /** Value of its annotation REPLACES. */
  readonly replaces: string | undefined;
  readonly virtualService: k8s.apiextensions.CustomResource;
}

/** What this program moves. */
interface Moves {
  readonly rises: readonly Move[];
  readonly falls: readonly Move[];
}

/**
 * For a resource that an update leaves out (`--target`, `--exclude`) the engine returns what is in its
 * state, and tells the program nothing else.
 */
function isLeftOut(
  { wanted, replaces }: Registration,
  spec: unknown,
  annotations: Readonly<Record<string, string>> = {},
): boolean {
  return (
    spec !== undefined && (!sameShares(splitOf(spec), wanted) || annotations[REPLACES] !== replaces)
  );
}

/** What has come of a registration: written or right already, left as it was, or refused. */
type Outcome = "done" | "left out" | "failed";

/** What has come of each registration, known when all of them have ended. */
function outcomes(registrations: readonly Registration[]): pulumi.Output<readonly Outcome[]> {
  return pulumi.all(
    registrations.map((registration) => {
      const { virtualService } = registration;
      const spec = Reflect.get(virtualService, "spec") as pulumi.Output<unknown>;
      // Each output fails by itself.
      return pulumi
        .all([orFailed(spec), orFailed(virtualService.metadata)])
        .apply(([has, metadata]): Outcome => {
          if (metadata === "failed") return "failed";
          return isLeftOut(registration, has, metadata.annotations) ? "left out" : "done";
        });
    }),
  );
}

function orFailed<T>(output: pulumi.Output<T>): pulumi.Output<T | "failed"> {
  return pulumi.recover<T | "failed">(output, () => "failed");
}

/** Of what is left out, that which serves something else than is wanted, and will go on with it. */
function missing(
  left: readonly Registration[],
  all: readonly Registration[],
  { rises, falls }: Moves,
): readonly Registration[] {
  const among = (moves: readonly Move[], { cluster, key }: Registration) =>
    moves.some((move) => move.cluster === cluster && move.wanted.key === key);
  // The hook of one VirtualService raises the weight in all clusters; what falls has fallen before.
  const raised = all.some((each) => among(rises, each) && !left.includes(each));
  return left.filter(
    (each) =>
      !sameShares(each.deployed, each.wanted) &&
      !among(falls, each) &&
      !(raised && among(rises, each)),
  );
}

function told(split: Split): string {
  return shares(split)
    .map(({ version, weight }) => `${version} ${weight} %`)
    .join(" / ");
}

/** Why an update fails that has left out what it should have changed. */
function incompleteText(missing: readonly Registration[]): string {
  return [
    "This update leaves out VirtualServices that have to change (--target or --exclude). They stay as they are:",
    ...missing.map(
      ({ cluster, key, deployed, wanted }) =>
        ` - ${cluster}: ${key} has ${told(deployed)}, and not ${told(wanted)}`,
    ),
    "Run pulumi up without --target and --exclude.",
  ].join("\n");
}

function names(registrations: readonly Registration[]): string {
  return registrations.map(({ cluster, key }) => `${key} in ${cluster}`).join(", ");
}

/** Where to look when Pulumi has gone on after an error (`--continue-on-error`). */
function failedText(registrations: readonly Registration[]): string {
  return (
    `Pulumi has not updated the VirtualService of ${names(registrations)}; the errors say why. ` +
    "When that is mended, run pulumi up again."
  );
}

/** What remains to be done after an update that has left out VirtualServices whose weights are right. */
function laggingText(registrations: readonly Registration[]): string {
  return (
    `This update leaves out the VirtualService of ${names(registrations)} (--target or --exclude). ` +
    "The weight is the same in every cluster all the same; Pulumi's state lags behind until pulumi up runs without them."
  );
}

/**
 * Waits until every VirtualService is registered.
 *
 * @returns what an operator has to know of those that were left out without harm, or undefined
 * @throws if one has failed, or is left out and had to change
 */
export function completion(
  registrations: readonly Registration[],
  moves: Moves,
): pulumi.Output<string | undefined> {
  return outcomes(registrations).apply((each): string | undefined => {
    const having = (outcome: Outcome) => registrations.filter((_, i) => each[i] === outcome);
    const failed = having("failed");
    if (failed.length > 0) throw new pulumi.RunError(failedText(failed));
    const left = having("left out");
    const stay = missing(left, registrations, moves);
    if (stay.length > 0) throw new pulumi.RunError(incompleteText(stay));
    return left.length === 0 ? undefined : laggingText(left);
  });
}
