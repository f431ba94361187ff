import { changes } from "../preview/changes.ts";
import type { Digest } from "../preview/digest.ts";
import type { ReleaseStack } from "./stack.ts";

/** What a preview deletes or makes anew, which no change of a weight does. */
export function losses(digest: Digest): readonly string[] {
  return changes(digest)
    .filter(({ action }) => action === "delete" || action === "replace")
    .map(
      ({ action, cluster, kind, name }) =>
        `${action} ${kind} ${name}${cluster === undefined ? "" : ` in ${cluster}`}`,
    );
}

/** Part of a stack that a change of the weight needs. */
type WeightStack = Pick<ReleaseStack, "name" | "release" | "setWeight" | "preview" | "up">;

/**
 * Raises the weight in all clusters or in none: preview, update, and the confirmation of every Envoy that
 * is part of the update. Without success the config has the weight it had.
 *
 * @throws if the preview fails, or would delete or replace something, or the update fails
 */
export async function raiseTo(
  stack: WeightStack,
  weight: number,
  print: (text: string) => void,
): Promise<void> {
  const before = Number(stack.release.weight ?? 0);
  await stack.setWeight(weight);
  try {
    const lost = losses(await stack.preview());
    if (lost.length > 0) {
      throw new Error(
        [
          `The preview of weight ${weight} would lose something, so nothing was done:`,
          ...lost.map((line) => ` - ${line}`),
          `If it is really meant: pulumi up --stack ${stack.name}, with the weight as it is; then this command again.`,
        ].join("\n"),
      );
    }
    await stack.up(`release: ${weight} %`, print);
  } catch (error) {
    await stack.setWeight(before);
    throw error;
  }
}

/**
 * Takes the weight back to 0 in every cluster that answers, without preview.
 *
 * @throws saying which clusters keep another weight
 */
export async function lowerToZero(
  stack: WeightStack,
  reason: string,
  print: (text: string) => void,
): Promise<void> {
  await stack.setWeight(0);
  await stack.up(`release: rolled back: ${reason}`.slice(0, 500), print);
}
