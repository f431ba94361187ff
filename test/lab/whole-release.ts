import { confirmWeight } from "../../fleet/confirm.ts";
import type { LoadClient } from "../../lab/demo/load.ts";
import type { labPulumi } from "./lab.ts";
import { expectAnswered } from "./load.ts";
import { clusters } from "./release.ts";

/** A service whose canary is to be released. */
export interface Released {
  readonly host: string;
  readonly canary: string;
}

/**
 * Releases canaries from 0 to 100 % and back, and waits each time until every Envoy of every cluster serves the weight.
 *
 * @param load clients that call meanwhile: none may go without an answer
 */
export async function wholeRelease(
  pulumi: ReturnType<typeof labPulumi>,
  services: readonly Released[],
  load: readonly LoadClient[],
): Promise<void> {
  for (const weight of [10, 30, 100, 0]) {
    await pulumi.setWeight(weight);
    await pulumi.up(`a whole release: ${weight} %`);
    for (const cluster of clusters) {
      for (const { host, canary } of services) {
        await confirmWeight(cluster, { hosts: [host], canary, weight }, 30_000);
      }
    }
  }
  expectAnswered(load);
}
