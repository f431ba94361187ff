import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../stacks/config.ts";
import type { Rollout } from "../../../stacks/schema.ts";
import { isExistingIstio } from "../../../stacks/existing-istio-checks.ts";
import { kubeconfigFile, rawConfig } from "../../helpers/fixtures.ts";

type Config = Readonly<Record<string, unknown>>;

/** The configurations that a page shows, decrypted as Pulumi would do it. */
function examplesOf(page: string): readonly Config[] {
  const text = readFileSync(new URL(`../../../docs/${page}`, import.meta.url), "utf8");
  const blocks = text.matchAll(/^( *)```yaml\n\1(istio-canary:[^]*?)```/gm);
  return [...blocks].map(([, indent = "", yaml = ""]) => {
    const plain = yaml.replaceAll(`\n${indent}`, "\n").replaceAll(/\{ secure: [^}]+\}/g, "secret");
    return Object.fromEntries(
      Object.entries(load(plain) as Config).map(([key, value]) => [key.split(":")[1] ?? "", value]),
    );
  });
}

/** The fixture's service with what an example's service has besides. */
function withExample({ services, ...example }: Config) {
  const raw = rawConfig();
  const [first] = raw.services;
  const [shown = {}] = (services ?? []) as readonly object[];
  const { name, namespace } = first ?? {};
  return { ...raw, ...example, services: [{ ...first, ...shown, name, namespace }] };
}

describe.each(["gates.md", "monitoring.md", "pod-template.md"])(
  "the examples in docs/%s",
  (page) => {
    it.each(examplesOf(page).map((example) => [Object.keys(example).join(", "), example] as const))(
      "are a configuration: %s",
      (_, example) => {
        expect(parseConfig(withExample(example)).problems).toEqual([]);
      },
    );
  },
);

describe("the examples in docs/existing-services.md", () => {
  const examples = examplesOf("existing-services.md");

  it.each(examples.map((example, i) => [i + 1, example] as const))(
    "are a configuration: %i",
    (_, example) => {
      expect(parseConfig({ ...rawConfig({ weight: 0 }), ...example }).problems).toEqual([]);
    },
  );

  it("are three: without a canary, with rules to adopt, and with a canary", () => {
    expect(examples).toHaveLength(3);
  });
});

describe("the example in docs/existing-istio.md", () => {
  it("is a configuration of which only the clusters are left to be read", () => {
    const [example, ...others] = examplesOf("existing-istio.md");
    expect(others).toEqual([]);
    const raw = { ...example, kubeconfig: kubeconfigFile() };
    expect(isExistingIstio(raw)).toBe(true);
    expect(parseConfig(raw).problems).toEqual([]);
  });
});

describe("the example of a query of one's own", () => {
  it("asks for metrics that the example has kept", () => {
    const example = examplesOf("gates.md").find(({ monitoring }) => monitoring !== undefined);
    const { metrics } = example?.["monitoring"] as { metrics: string[] };
    const { gates } = example?.["rollout"] as { gates: Pick<Rollout["gates"], "queries"> };
    const asked = gates.queries.flatMap(({ bad, all }) =>
      [...`${bad} ${all}`.matchAll(/(\w+)\{/g)].flatMap(([, name]) => name ?? []),
    );
    expect([...new Set(asked)].sort()).toEqual([...metrics].sort());
  });
});
