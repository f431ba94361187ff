import { openRelease } from "../open.ts";
import { raiseTo } from "../update-weight.ts";
import { nextWeight } from "../next-weight.ts";

export interface PromoteOptions {
  readonly stack: string;
}

/**
 * Raises the weight by one phase in every cluster: preview, checks, update, and the confirmation of every
 * Envoy. Gates are not asked: whoever runs this decides.
 */
export async function promote({ stack: name }: PromoteOptions): Promise<void> {
  const { stack, settings, clusters } = await openRelease(name);
  const { now, next } = await nextWeight(settings, clusters, name);
  if (next === undefined) {
    console.log(`The canary has ${now} % in every cluster: there is no phase after it.`);
    return;
  }
  console.log(`from ${now} % to ${next} % in ${clusters.map((each) => each.name).join(", ")}`);
  await raiseTo(stack, next, (text) => process.stdout.write(text));
}
