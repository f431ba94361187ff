import * as z from "zod";
import { literal } from "../../lib/re2.ts";
import { resourceName, withoutNames, type StackState } from "../eject/state.ts";

/** What leaves a state with a cluster. */
interface Forgotten {
  /** How many resources. */
  readonly count: number;
  /** What stays of the other clusters that is about it, by its URN's name. */
  readonly about: readonly string[];
  /** The state without it. */
  readonly rest: StackState;
}

const operation = z.looseObject({ resource: z.looseObject({ provider: z.string().optional() }) });

/**
 * Takes all resources in a cluster out of a stack's state: what its provider manages, the components that have nothing
 * else, and the provider. What is about it in other clusters stays, so that an update deletes it there.
 *
 * @throws if the last update was interrupted in another cluster: nobody knows then what there is
 */
export function forgetCluster(state: StackState, cluster: string): Forgotten {
  const { resources = [], pending_operations: pending } = state.deployment;
  const provider = resources.find(
    (each) => each.type === "pulumi:providers:kubernetes" && resourceName(each) === cluster,
  );
  const isThere = (reference: unknown) =>
    provider !== undefined &&
    typeof reference === "string" &&
    reference.startsWith(`${provider.urn}::`);
  const elsewhere = (pending ?? []).filter(
    (each) => !isThere(operation.safeParse(each).data?.resource.provider),
  );
  if (elsewhere.length > 0) {
    throw new Error(
      "The last update was interrupted in another cluster: run pulumi up first, which completes it. Nothing was changed.",
    );
  }
  const gone = new Set(
    resources
      .filter((each) => each === provider || isThere(each["provider"]))
      .map(({ urn }) => urn),
  );
  // Children come after their parents.
  for (const each of resources.toReversed()) {
    const children = resources.filter(({ parent }) => parent === each.urn);
    if (each.custom !== true && children.length > 0 && children.every(({ urn }) => gone.has(urn))) {
      gone.add(each.urn);
    }
  }
  const rest = resources.filter(({ urn }) => !gone.has(urn));
  const named = new RegExp(`(^|[-.])${literal(cluster)}([-.]|$)`);
  return {
    count: gone.size,
    about: rest.flatMap((each) =>
      each.custom === true && named.test(resourceName(each)) ? [resourceName(each)] : [],
    ),
    rest: {
      ...state,
      deployment: {
        ...state.deployment,
        ...(pending && { pending_operations: [] }),
        resources: withoutNames(rest, gone),
      },
    },
  };
}
