import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../stacks/config.ts";
import { problemLine } from "../../../lib/problems.ts";
import { rawConfig } from "../../helpers/fixtures.ts";
import { existingConfig, existingService as existing } from "../../helpers/existing.ts";

const lines = (raw: Readonly<Record<string, unknown>>) =>
  parseConfig(raw).problems.map(problemLine);
const made = () => rawConfig().services[0] ?? {};

describe("the configuration of an existing service", () => {
  it("is right with a name, a namespace and versions", () => {
    expect(lines(existingConfig())).toEqual([]);
  });

  it("may be in the namespace default, and name port, label and accounts", () => {
    const more = {
      namespace: "default",
      servicePort: 8080,
      versionLabel: "app.kubernetes.io/version",
      serviceAccounts: ["default"],
    };
    expect(lines(existingConfig(more))).toEqual([]);
  });

  it("says nothing of what its owner decides, and every such key is named", () => {
    const raw = existingConfig({
      port: 8080,
      args: ["--port=8080"],
      env: { A: "b" },
      healthPath: "/healthz",
      metrics: {},
      resources: {},
      autoscaling: { max: 3 },
      user: 1,
      accountAnnotations: { a: "b" },
      template: {},
      stable: { version: "v1", image: "registry.example.com/user-service:v1" },
      canary: { version: "v2", env: {}, args: [], resources: {}, replicas: 2 },
    });
    const keys = [
      ...["port", "args", "env", "healthPath", "metrics", "resources", "autoscaling", "user"],
      ...["accountAnnotations", "template", "stable.image"],
      ...["canary.env", "canary.args", "canary.resources", "canary.replicas"],
    ];
    const found = lines(raw);
    expect(found).toHaveLength(keys.length);
    for (const [i, key] of keys.entries()) {
      expect(found[i]).toContain(
        ` - services[0].${key}: must be left out of an existing service: the owner of its pods decides, got `,
      );
      expect(found[i]).toMatch(
        / Remove it, or remove workload if the program is to make the pods\.$/,
      );
    }
  });

  it.each(["pod-template-hash", "rollouts-pod-template-hash", "controller-revision-hash"])(
    "does not tell versions by %s, which the owner's next deploy changes",
    (versionLabel) => {
      expect(lines(existingConfig({ versionLabel }))).toEqual([
        expect.stringMatching(
          /^ - services\[0\]\.versionLabel: must not be .*: the owner's next deploy changes it, and no pod is left under the old value, got ".*"\. Name a label that the owner writes/,
        ),
      ]);
    },
  );

  it("is in no chain, and in no namespace that the program makes", () => {
    const service = made();
    const ingressHosts: string[] = [];
    const raw = {
      ...existingConfig(),
      services: [
        { ...service, name: "order-service", matches: [], ingressHosts },
        { ...existing, ingressHosts: ["user-service.example.com"] },
      ],
      chain: { entries: ["user/user-service"] },
    };
    expect(lines(raw)).toEqual([
      expect.stringContaining(
        "services[1].namespace: must not be the namespace of services[0], which the program makes, and removes with its last service",
      ),
      expect.stringContaining("services[1].workload: must be made with chain"),
    ]);
  });
});

describe("the configuration of a service that the program makes", () => {
  const of = (change: object, without: readonly string[] = []) => {
    const service = Object.fromEntries(
      Object.entries({ ...made(), ...change }).filter(([key]) => !without.includes(key)),
    );
    return lines({ ...rawConfig(), services: [service] });
  };

  it("must say what the pods run, or that they are somebody else's", () => {
    expect(of({ stable: { version: "v1" } }, ["port"])).toEqual([
      " - services[0].port: must be given. Write the port of its pods, or set workload: existing if they are somebody else's.",
      " - services[0].stable.image: must be given. Write the image of its pods, or set workload: existing if they are somebody else's.",
    ]);
  });

  it.each([
    ["servicePort", 8080],
    ["versionLabel", "version"],
    ["serviceAccounts", ["a"]],
    ["adopt", true],
  ])("has no %s", (key, value) => {
    expect(of({ [key]: value })).toEqual([
      expect.stringContaining(
        `services[0].${key}: must be left out unless workload is existing, got`,
      ),
    ]);
  });

  it("has a namespace of its own", () => {
    expect(of({ namespace: "default" })).toEqual([
      expect.stringContaining(
        "services[0].namespace: must be a namespace that the program creates for the service: not default",
      ),
    ]);
  });
});

describe("the configuration of autoscaling", () => {
  const version = (name: string) => ({
    version: name,
    image: `registry.example.com/user-service:${name}`,
  });
  const scaled = (autoscaling: object, stable: object = {}) =>
    lines({
      ...rawConfig(),
      services: [
        {
          ...made(),
          stable: { ...version("v1"), ...stable },
          canary: version("v2"),
          autoscaling,
        },
      ],
    });

  it.each([{ max: 20 }, { min: 3, max: 20, cpu: 50 }, { external: true }, { min: 3, max: 3 }])(
    "is right with %o",
    (autoscaling) => {
      expect(scaled(autoscaling)).toEqual([]);
    },
  );

  it("tells all that is wrong at once", () => {
    expect(scaled({ min: 5, max: 2 }, { replicas: 3 })).toEqual([
      " - services[0].stable.replicas: must be left out with autoscaling, which decides how many pods there are, got 3. Remove it, or remove autoscaling.",
      " - services[0].autoscaling.min: must not be greater than max, which is 2, got 5. Lower it, or raise max.",
    ]);
  });

  it("wants a most, or somebody else's autoscaler, and not both", () => {
    expect(scaled({ min: 5 })).toEqual([
      " - services[0].autoscaling.max: must be given. Write the most pods of a version, for example 20, or external: true if somebody else's autoscaler decides.",
    ]);
    expect(scaled({ external: true, max: 4, metrics: [{ type: "Pods" }] })).toEqual([
      " - services[0].autoscaling.max: must be left out where autoscaling is external: somebody else's autoscaler decides, got 4. Remove it, or remove external.",
      expect.stringContaining(" - services[0].autoscaling.metrics: must be left out where"),
    ]);
  });
});
