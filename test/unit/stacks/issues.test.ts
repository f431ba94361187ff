import { expect, it } from "vitest";
import { problemLine } from "../../../lib/problems.ts";
import { configKeys, flatten } from "../../../scripts/config-keys.ts";
import { parseConfig } from "../../../stacks/config.ts";
import { headingOf } from "../../../stacks/schema/structure.ts";
import { schema } from "../../../stacks/schema.ts";
import { rawConfig } from "../../helpers/fixtures.ts";

it("a value of another type is refused with what to write, and where its key is described", () => {
  const raw = rawConfig();
  const { problems } = parseConfig({
    ...raw,
    services: raw.services.map((known) => ({ ...known, retries: "often", morePorts: 9090 })),
    away: [{ name: "cluster-b", drain: "yes" }],
    quarantine: "cluster-b",
    phases: 10,
    weight: "much",
    mesh: { ...raw.mesh, trustDomain: 5, revisions: {}, tags: {} },
    chain: "a",
  });
  expect(problems.map(problemLine)).toEqual([
    ' - mesh.revisions: must be a list, got {}. Write a list, such as [{"name":"default"},{"name":"1-31-1","version":"1.31.1"}]; see docs/configuration.md#meshrevisions.',
    " - mesh.tags: must be a list, got {}. Write a list; see docs/configuration.md#meshtags.",
    " - mesh.trustDomain: must be text, got 5. Put the value in quotes.",
    ' - services[0].morePorts: must be a list, got 9090. Write a list, such as [{"port":9090,"protocol":"grpc"}]; see docs/configuration.md#servicesmoreports.',
    ' - services[0].retries: must be a map of keys, got "often". Write a map of keys, such as {"attempts":2,"perTryTimeout":"3s"}; see docs/configuration.md#servicesretries.',
    ' - chain: must be a map of keys, got "a". Write a map of keys, such as {"entries":["web/front"]}; see docs/configuration.md#chain.',
    " - phases: must be a list, got 10. Write a list, such as [10,30,100]; see docs/configuration.md#phases.",
    ' - weight: must be a number, got "much". Write a number, such as 10; see docs/configuration.md#weight.',
    ' - quarantine: must be a list, got "cluster-b". Write a list, such as ["cluster-b"]; see docs/configuration.md#quarantine.',
    ' - away[0].drain: must be a boolean, got "yes". Write true or false.',
  ]);
});

it.each([
  [
    "services",
    [0, "stable", "trafficPolicy", "loadBalancer"],
    "services[].trafficPolicy.loadBalancer",
  ],
  ["services", [0, "canary", "image"], "services[].canary.image"],
  ["services", [0, "canary", "unknown"], "services[].canary"],
  ["away", [0, "drain"], "away[].drain"],
  ["away", [0], "away"],
  ["certificates", ["clusters", "cluster-a", "key"], "certificates.clusters.<cluster>.key"],
  ["certificates", ["clusters", "cluster-a"], "certificates.clusters"],
] as const)("%s, %j is described under %s", (key, path, heading) => {
  expect(headingOf(key, schema[key], path)).toBe(heading);
  const headings = configKeys(schema)
    .flatMap(flatten)
    .map((each) => each.path);
  expect(headings).toContain(heading);
});
