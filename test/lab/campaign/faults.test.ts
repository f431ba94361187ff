import { setTimeout } from "node:timers/promises";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { setClustersApart } from "../../../lab/clusters/lab.ts";
import { labSettings } from "../../../lab/settings.ts";
import { labUp } from "../../../lab/up.ts";
import { SYSTEM_NAMESPACE } from "../../../lib/names.ts";
import { until } from "../../../lib/until.ts";
import { signal, signalInPod } from "../component.ts";
import { underLoad } from "../load.ts";
import { failure, first, second, withOwnRelease } from "../release.ts";
import { runs, seed } from "./campaign.ts";

const release = withOwnRelease("campaign", { replicas: 2, config: { allow: ["skip-phase"] } });
const { service, deployed, change, beginAt, expectRecovered } = release;
// A client in the mesh of the second cluster would lose its log with the API server.
const load = underLoad(release, { inMesh: [first], outside: [first, second] });

/** A fault of the second cluster that lasts for a while. */
interface Fault {
  readonly name: string;
  readonly begin: () => Promise<void>;
  readonly end: () => Promise<void>;
  /** Whether requests to the other cluster fail meanwhile. @default false */
  readonly cutsRequests?: boolean;
}

async function deletePod(selector: string, namespace: string): Promise<void> {
  const [pod] = await second.runningPods(selector, namespace);
  const name = pod?.metadata?.name;
  if (name === undefined) throw new Error(`no pod of ${selector} runs in ${second.name}`);
  await second.core.deleteNamespacedPod({ name, namespace });
}

const nothing = () => Promise.resolve();

const faults: readonly Fault[] = [
  {
    name: "a pod of the canary is deleted",
    begin: () => deletePod(`app=${service.name},version=${service.canary}`, service.namespace),
    end: nothing,
  },
  {
    name: "istiod is deleted",
    begin: () => deletePod("app=istiod", SYSTEM_NAMESPACE),
    end: nothing,
  },
  {
    name: "istiod stops",
    begin: () => signalInPod(second.name, "istiod-", "pilot-discovery", "SIGSTOP"),
    end: () => signalInPod(second.name, "istiod-", "pilot-discovery", "SIGCONT"),
  },
  {
    name: "the API server stops",
    begin: () => signal(second.name, "kube-apiserver", "SIGSTOP"),
    end: () => signal(second.name, "kube-apiserver", "SIGCONT"),
  },
  {
    name: "the API server is killed",
    begin: () => signal(second.name, "kube-apiserver", "SIGKILL"),
    end: () => labUp(labSettings()),
  },
  {
    name: "the clusters are set apart",
    begin: () => setClustersApart(labSettings(), true),
    end: () => setClustersApart(labSettings(), false),
    cutsRequests: true,
  },
];

const changes = [
  { from: 0, to: 10 },
  { from: 10, to: 30 },
  { from: 30, to: 100 },
  { from: 30, to: 0 },
];

const cases = fc.sample(
  fc.record({
    fault: fc.constantFrom(...faults),
    change: fc.constantFrom(...changes),
    /** When the fault begins, in thousandths of the time that an update takes. */
    permille: fc.noBias(fc.integer({ min: 0, max: 1000 })),
  }),
  { seed, numRuns: runs },
);

/** The weight in both API servers, as soon as both answer. */
async function weights(): Promise<readonly [number, number]> {
  return until(
    "both API servers to answer",
    async () => {
      const [here, there] = await deployed([first, second]);
      if (!here || !there) throw new Error("one has no route");
      return [here.weight, there.weight] as const;
    },
    { timeoutMs: 120_000 },
  );
}

describe.each(cases.map((each, i) => ({ ...each, run: i + 1 })))(
  "run $run: $fault.name at $permille ‰ of an update from $change.from % to $change.to %",
  ({ fault: { name, begin, end, cutsRequests = false }, change: { from, to }, permille }) => {
    it("leaves no cluster on its own", async () => {
      await beginAt(from);
      const { seconds } = await change(from);
      const began = Date.now();
      const update = change(to).then(
        ({ value }) => ({ succeeded: true, text: value }),
        async (error: unknown) => ({
          succeeded: false,
          text: await failure(Promise.reject(error as Error)),
        }),
      );
      // The moment is what is tested.
      await setTimeout(seconds * permille);
      await begin();
      const { succeeded, text } = await update.finally(end);
      const [here, there] = await weights();
      console.log(
        `${name} from ${from} % to ${to} %: ${succeeded ? "succeeded" : "failed"}, ${here} % and ${there} %`,
      );
      if (succeeded) expect([here, there]).toEqual([to, to]);
      else expect(text).toContain(second.name);
      // Where the other one could not be changed, this one is at the lower weight.
      if (here !== there) expect(here).toBe(Math.min(from, to));
      await expectRecovered(to);
      if (!cutsRequests) load.expectNoFailure(began);
    });
  },
);
