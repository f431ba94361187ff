import { randomUUID } from "node:crypto";
import { execa } from "execa";
import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";

import { helmRecords } from "../../../fleet/helm-records.ts";
import { labEnvironment, labStack } from "../../../lab/environment.ts";
import { labSettings } from "../../../lab/settings.ts";
import { isPending, newest } from "../../../lib/helm-records.ts";
import { SYSTEM_NAMESPACE } from "../../../lib/names.ts";
import { until } from "../../../lib/until.ts";
import { clusters, meshRelease } from "../release.ts";
import { killProcesses, processesOf, UPDATE_VARIABLE } from "../update-processes.ts";

const { pulumi, beginAt, deployed, expectEverywhere, untilWell } = meshRelease;
const settings = labSettings();
const env = labEnvironment(settings);

/** A value of istiod's chart whose change replaces its pod, which Helm waits for. */
const KEY = "mesh.values.istiod.podAnnotations";
const ANNOTATION = "lab.test/round";

const diagnostic = z.looseObject({
  diagnosticEvent: z.looseObject({ message: z.string() }).optional(),
});

/** The newest record of istiod's release in each cluster. */
async function istiods() {
  return Promise.all(
    clusters.map(async (cluster) => {
      const records = await helmRecords(cluster, SYSTEM_NAMESPACE, "name=istiod");
      return newest(records)?.status ?? "none";
    }),
  );
}

/** The value that each cluster's istiod runs with. */
async function rounds() {
  return Promise.all(
    clusters.map(async ({ apps }) => {
      const at = { namespace: SYSTEM_NAMESPACE, name: "istiod" };
      const { spec } = await apps.readNamespacedDeployment(at);
      return spec?.template.metadata?.annotations?.[ANNOTATION];
    }),
  );
}

/** Begins to change istiod in all clusters, and kills every process of the update while Helm is at work in all. */
async function interrupt(round: string): Promise<void> {
  await pulumi.setConfig(`${KEY}["${ANNOTATION}"]`, round);
  const update = randomUUID();
  const running = execa("pulumi", ["up", "--yes", "--skip-preview", "--stack", labStack], {
    cwd: settings.root,
    env: { ...env, [UPDATE_VARIABLE]: update },
    ...{ stdin: "ignore", reject: false, timeout: 120_000 },
  });
  await until(
    "Helm to be at work in all clusters",
    async () => {
      if (!(await istiods()).every((status) => isPending({ status }))) throw new Error("not yet");
    },
    { timeoutMs: 60_000, everyMs: 50 },
  );
  killProcesses(await processesOf(update));
  await running;
  // The lock of an update that was killed stays.
  await pulumi.cancel();
}

/** `pulumi up`, and what it says, as it says it. */
function up(onMessage: (message: string) => void = () => undefined) {
  const messages: string[] = [];
  const ended = pulumi.upWithEvents("interrupted test", (event) => {
    const { diagnosticEvent } = diagnostic.parse(event);
    if (!diagnosticEvent) return;
    messages.push(diagnosticEvent.message);
    onMessage(diagnosticEvent.message);
  });
  return { messages, ended };
}

/** Runs a command that a message names. */
async function run(command: string): Promise<void> {
  await execa(command, { shell: true, cwd: settings.root, env });
}

afterAll(async () => {
  await pulumi.setConfig(KEY, undefined);
  await pulumi.setWeight(0);
  await pulumi.up("lab tests end");
});

describe("an update of the mesh that is killed while Helm upgrades istiod in all clusters", () => {
  it("keeps no weight from rising or falling, and the next update goes on from it", async () => {
    await beginAt(10);
    await interrupt("one");
    const { value } = await pulumi.preview();
    expect(value.filter(({ op }) => op !== "update")).toEqual([]);

    await untilWell();
    await pulumi.setWeight(30);
    await pulumi.up("interrupted test: only weights", "--target", "**VirtualService**");
    await expectEverywhere(30);
    expect(await istiods()).toEqual(clusters.map(() => "pending-upgrade"));

    await pulumi.setWeight(0);
    const commands: string[] = [];
    const update = up((message) => {
      const [, command] = /do not wait: (kubectl .*)/.exec(message) ?? [];
      if (command !== undefined) commands.push(command);
    });
    await until(
      "the update to say what it waits for",
      () => {
        if (commands.length < clusters.length) throw new Error("not yet");
      },
      { timeoutMs: 60_000 },
    );
    expect((await deployed()).map(({ weight }) => weight)).toEqual(clusters.map(() => 0));
    await Promise.all(commands.map(run));
    await update.ended;

    expect(await istiods()).toEqual(clusters.map(() => "deployed"));
    expect(await rounds()).toEqual(clusters.map(() => "one"));
    await expectEverywhere(0);
    expect((await pulumi.preview()).value).toEqual([]);
  });

  it(
    "needs nobody: after six minutes the next update goes on by itself",
    { tags: ["campaign"] },
    async () => {
      await interrupt("two");
      const { messages, ended } = up();
      await ended;
      const deletions = messages.filter((message) => message.includes("Its record is deleted"));
      expect(deletions).toHaveLength(clusters.length);
      expect(await istiods()).toEqual(clusters.map(() => "deployed"));
      expect(await rounds()).toEqual(clusters.map(() => "two"));
    },
  );

  it(
    "is named by every update after a pulumi refresh, with the repair",
    { tags: ["campaign"] },
    async () => {
      await interrupt("three");
      await execa("pulumi", ["refresh", "--yes", "--stack", labStack, "--non-interactive"], {
        cwd: settings.root,
        env,
      });
      const { messages, ended } = up();
      await ended;
      const repairs = messages.flatMap((message) => {
        const [, command] =
          /let Pulumi compare: (kubectl .*) && pulumi up --refresh/.exec(message) ?? [];
        return command ?? [];
      });
      expect(repairs).toHaveLength(clusters.length);
      await Promise.all(repairs.map(run));
      await pulumi.up("interrupted test: refreshed", "--refresh");
      expect(await istiods()).toEqual(clusters.map(() => "deployed"));
      expect(await rounds()).toEqual(clusters.map(() => "three"));
    },
  );
});
