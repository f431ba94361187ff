import { describe, expect, it } from "vitest";
import { problemsOf } from "../../../stacks/issues.ts";
import { misplacedSecrets } from "../../../stacks/misplaced-secrets.ts";
import { metaOf } from "../../../stacks/schema/structure.ts";
import {
  KEYS_WITH_SECRETS,
  MESH_KEYS,
  NEEDED_MESH_KEYS,
  RELEASE_KEYS,
  schema,
  TEXT_KEYS,
  type ConfigKey,
} from "../../../stacks/schema.ts";

describe("the facts about top-level keys", () => {
  it.each(Object.keys(schema) as ConfigKey[])("are said of %s", (name) => {
    const { owner, routing } = metaOf(schema[name]);
    expect(owner).toMatch(/^(mesh|release|stack)$/);
    expect(routing).toMatch(/^(all|parts|none)$/);
  });

  it("are what the program goes by", () => {
    expect(MESH_KEYS).toEqual(["mesh", "clusters", "certificates", "ingress", "monitoring"]);
    expect(NEEDED_MESH_KEYS).toEqual(["mesh", "clusters"]);
    expect(RELEASE_KEYS).toEqual(["services", "chain", "phases", "weight"]);
    expect(KEYS_WITH_SECRETS).toEqual([
      "kubeconfig",
      "certificates",
      "ingress",
      "secrets",
      "secretsKey",
      "monitoring",
      "prometheus",
      "rollout",
    ]);
    expect(TEXT_KEYS).toEqual(["kubeconfig", "meshStack", "secretsKey"]);
  });
});

describe("a secret", () => {
  it("is refused in a key that says of none of its parts that it may be one", () => {
    const keys = ["weight", "services", "ingress", "rollout"].map((name) => `istio-canary:${name}`);
    expect(misplacedSecrets(keys, "istio-canary").map(({ path }) => path)).toEqual([
      "weight",
      "services",
    ]);
  });

  const hush = "hush";
  it.each<[ConfigKey, unknown]>([
    ["certificates", hush],
    ["certificates", { root: [hush] }],
    ["certificates", { clusters: hush }],
    ["certificates", { clusters: { "cluster-a": hush } }],
    ["certificates", { clusters: { "cluster-a": { key: [hush] } } }],
    ["ingress", { hosts: ["a.example.com"], tls: hush }],
    ["ingress", { hosts: ["a.example.com"], tls: { credentialName: "a", key: [hush] } }],
    ["monitoring", { mode: "prometheus", alertmanager: hush }],
    ["monitoring", { mode: "prometheus", alertmanager: { slackUrl: hush } }],
    ["prometheus", { "cluster-a": hush }],
    ["prometheus", { "cluster-a": { url: hush } }],
    ["prometheus", { "cluster-a": { bearerToken: [hush] } }],
    ["prometheus", { "cluster-a": { basicAuth: hush } }],
    ["prometheus", { "cluster-a": { basicAuth: { username: "a", password: [hush] } } }],
    ["prometheus", { "cluster-a": { headers: { "X-Api-Key": [hush] } } }],
    ["prometheus", { "cluster-a": { tls: { key: hush } } }],
    ["rollout", { webhooks: hush }],
    ["rollout", { webhooks: [hush] }],
    ["rollout", { webhooks: [{ name: "a", when: "before", url: hush }] }],
    ["rollout", { notifications: [{ url: hush }] }],
  ])("is in no problem of %s: %j", (name, value) => {
    const { error } = schema[name].safeParse(value);
    const problems = error?.issues.flatMap((issue) => problemsOf(name, value, issue)) ?? [];
    expect(problems).not.toEqual([]);
    expect(JSON.stringify(problems)).not.toContain(hush);
  });

  it("does not hide what is beside it", () => {
    const value = { hosts: ["Shop"] };
    const { error } = schema.ingress.safeParse(value);
    const problems = error?.issues.flatMap((issue) => problemsOf("ingress", value, issue));
    expect(problems).toMatchObject([{ path: "ingress.hosts[0]", value: "Shop" }]);
  });
});
