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

/**
 * For each registration, whether the update leaves its VirtualService as it is; known when all are
 * registered.
 *
 * @returns undefined if a registration has failed; Pulumi tells of it
 */
export function leftOut(
  registrations: readonly Registration[],
): pulumi.Output<readonly boolean[] | undefined> {
  const found = registrations.map((registration) => {
    const { virtualService } = registration;
    const spec = Reflect.get(virtualService, "spec") as pulumi.Output<unknown>;
    return pulumi
      .all([spec, virtualService.metadata.annotations])
      .apply(([has, annotations]) => isLeftOut(registration, has, annotations));
  });
  return pulumi.recover(
    pulumi.all(found).apply((all): readonly boolean[] | undefined => all),
    () => undefined,
  );
}

/** Of what is left out, that which serves something else than is wanted, and will go on with it. */
export function missing(
  left: readonly Registration[],
  all: readonly Registration[],
  { rises, falls }: { readonly rises: readonly Move[]; readonly falls: readonly Move[] },
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
export function incompleteText(missing: readonly Registration[]): string {
  return [
    "This update leaves out VirtualServices that have to change (--target or --exclude). They stay as they are:",
    ...missing.map(
      ({ cluster, key, deployed, wanted }) =>
        ` - ${cluster}: ${key} has ${told(deployed)}, and not ${told(wanted)}`,
    ),
    "Run pulumi up without --target and --exclude.",
  ].join("\n");
}

/** What remains to be done after an update that has left out VirtualServices whose weights are right. */
export function laggingText(registrations: readonly Registration[]): string {
  const names = registrations.map(({ cluster, key }) => `${key} in ${cluster}`).join(", ");
  return (
    `This update leaves out the VirtualService of ${names} (--target or --exclude). ` +
    "The weight is the same in every cluster all the same; Pulumi's state lags behind until pulumi up runs without them."
  );
}
