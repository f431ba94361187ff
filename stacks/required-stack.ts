import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import { shareOf } from "../lib/deployed.ts";
import { idOf, serviceKey } from "../lib/names.ts";
import type { Problem } from "../lib/problems.ts";
import type { ReleaseSettings } from "./config.ts";
import type { ReleasePlan } from "./release-plan.ts";
import { versionsOutput, type ServiceVersions } from "./released-versions.ts";
import type { Service } from "./schema.ts";

type Version = Service["stable"];

const found = z.object({ outputs: z.record(z.string(), z.unknown()) });

/**
 * The canaries that begin to get requests although the stack that `requires` names has not released the same versions with the
 * same images. Nobody asks that stack otherwise: a lower weight, and a canary that has passed this once, wait for nothing.
 */
export async function requiredProblems(
  { requires, services, chain }: Pick<ReleaseSettings, "requires" | "services" | "chain">,
  { routes, weight }: Pick<ReleasePlan, "routes" | "weight">,
): Promise<readonly Problem[]> {
  if (!requires) return [];
  const beginning = [...Map.groupBy(routes, ({ key }) => key)].flatMap(([key, own]) =>
    own.some(({ rises }) => rises) &&
    own.every(
      ({ deployed, wanted }) => deployed === undefined || shareOf(deployed, wanted.canary) === 0,
    )
      ? [key]
      : [],
  );
  if (beginning.length === 0) return [];
  const canaries = services.flatMap(({ canary, ...service }) => {
    const key = serviceKey(idOf(service));
    // The entries of a chain begin for all of it.
    return canary && (chain !== undefined || beginning.includes(key)) ? [{ key, canary }] : [];
  });
  const { stack, promoted } = requires;
  const there = await versionsIn(stack);
  const wanted = promoted
    ? "is the stable version"
    : "has served 100 % in every cluster, or is the stable version,";
  return canaries
    .filter(
      ({ key, canary }) => typeof there === "string" || !hasReleased(there[key], canary, promoted),
    )
    .map(({ key, canary }) => ({
      path: "weight",
      value: weight,
      rule: `must not rise above 0 before ${named(canary)} of ${key} ${wanted} in stack ${stack}: ${typeof there === "string" ? there : haves(there[key])}`,
      fix: `Release it there first: npm run release -- rollout --stack ${stack}. A lower weight is always allowed. Without the key requires no other stack is asked.`,
    }));
}

const named = ({ version, image }: Pick<Version, "version" | "image">) =>
  image === undefined ? version : `${version} (${image})`;

function hasReleased(
  there: ServiceVersions | undefined,
  { version, image }: Version,
  promoted: boolean,
): boolean {
  const isIt = (other: ServiceVersions["stable"] | undefined) =>
    other?.version === version && other.image === image;
  if (isIt(there?.stable)) return true;
  return !promoted && there?.canary?.weight === 100 && isIt(there.canary);
}

function haves(there: ServiceVersions | undefined): string {
  if (!there) return "it does not have the service";
  const { stable, canary } = there;
  return `it has ${named(stable)} as stable${canary ? `, and ${named(canary)} as the canary, with at least ${canary.weight} % in every cluster` : ""}`;
}

/** What a stack's last update has said of its versions, or why nobody knows. */
async function versionsIn(
  stack: string,
): Promise<Readonly<Record<string, ServiceVersions>> | string> {
  if (
    [
      pulumi.getStack(),
      `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}`,
    ].includes(stack)
  ) {
    return "that is this stack, and it must be another one";
  }
  try {
    // A StackReference would be a resource of this stack, and one that fails keeps every weight from falling.
    const read: unknown = await pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", {
      name: stack,
    });
    const versions = versionsOutput.safeParse(found.parse(read).outputs["versions"]);
    return (
      versions.data ??
      `its last update has not said which versions it has: run this version of the program there, pulumi up --stack ${stack}`
    );
  } catch (error) {
    return `it cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}
