import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { problemLine } from "../../../lib/problems.ts";
import { parseConfig, type Settings } from "../../../stacks/config.ts";
import { installMonitoring } from "../../../stacks/monitoring.ts";
import { rawConfig } from "../../helpers/fixtures.ts";
import { recordProgram } from "../../helpers/mocks.ts";

function parse(monitoring: object | undefined, config: object = {}) {
  return parseConfig({ ...rawConfig(), ...config, ...(monitoring && { monitoring }) });
}
const problems = (monitoring: object) => parse(monitoring).problems.map(problemLine);

function settings(monitoring: object | undefined, config?: object): Settings {
  const { settings: parsed, problems: wrong } = parse(monitoring, config);
  if (!parsed || "meshStack" in parsed) throw new Error(wrong.map(problemLine).join("\n"));
  return parsed;
}

/** Type, name and inputs of all that is made for monitoring. */
async function made(of: Settings): Promise<string[]> {
  const program = await recordProgram();
  const clusters = of.clusters.map(({ name, network, context }) => ({
    name,
    network,
    provider: new k8s.Provider(name, { context }),
    eastWestAddresses: pulumi.output([]),
    ingressAddresses: undefined,
    istioVersion: pulumi.output(of.mesh.istioVersion),
    caExpires: pulumi.output(""),
    ready: [],
  }));
  installMonitoring(of, clusters);
  await program.settle();
  return program.resources
    .filter(({ name }) => name.startsWith("monitoring-"))
    .map(({ type, name, inputs }) => `${type} ${name} ${JSON.stringify(inputs)}`)
    .sort();
}

describe("the configuration of monitoring", () => {
  it.each<[string, object, RegExp]>([
    ["no mode", { window: "5m" }, /^ - monitoring\.mode: must be given\. /],
    [
      "an unknown mode",
      { mode: "thanos" },
      /^ - monitoring\.mode: must be prometheus or operator, got "thanos"\. /,
    ],
    [
      "a window of too few samples",
      { mode: "prometheus", window: "30s" },
      /^ - monitoring\.scrapeInterval: must not be longer than a quarter of monitoring\.window, 30s: .* got "15s"\. /,
    ],
    [
      "an alert that does not exist",
      { mode: "prometheus", alerts: { CanaryErorRate: { for: "2m" } } },
      /^ - monitoring\.alerts\.CanaryErorRate: must be the name of an alert, .* Write CanaryErrorRate; /,
    ],
    [
      "a receiver for an Alertmanager of somebody else",
      { mode: "operator", alertmanager: { webhookUrl: "https://alerts.example.com/x" } },
      /^ - monitoring\.alertmanager\.webhookUrl: must be left out in mode operator, whose Alertmanager is not the program's\. /,
    ],
    [
      "a threshold that is no percentage",
      { mode: "prometheus", thresholds: { errorPercent: 500 } },
      /^ - monitoring\.thresholds\.errorPercent: must be a number from 0 to 100, got 500\. /,
    ],
  ])("tells %s", (_name, monitoring, line) => {
    expect(problems(monitoring)).toEqual([expect.stringMatching(line)]);
  });

  it("never shows a receiver's URL", () => {
    const lines = problems({ mode: "prometheus", alertmanager: { slackUrl: "hooks/T00/secret" } });
    expect(lines).toEqual([
      expect.stringMatching(
        /^ - monitoring\.alertmanager\.slackUrl: must be an http or https URL\. /,
      ),
    ]);
    expect(lines.join()).not.toContain("T00");
  });
});

describe("monitoring in every cluster", () => {
  it("is not there without its key", async () => {
    expect(await made(settings(undefined))).toEqual([]);
  });

  it.each(["prometheus", "operator"])(
    "is the same in each state of a release, in mode %s, so that a preview of a step shows services alone",
    async (mode) => {
      const [service] = rawConfig().services;
      const promoted = { ...service, stable: service?.canary, canary: undefined };
      const at10 = await made(settings({ mode }));
      expect(at10.filter((line) => line.includes("Deployment"))).toHaveLength(
        mode === "prometheus" ? 6 : 2,
      );
      expect(await made(settings({ mode }, { weight: 30 }))).toEqual(at10);
      expect(await made(settings({ mode }, { weight: 0, services: [promoted] }))).toEqual(at10);
    },
  );
});
