import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Ajv } from "ajv";
import { load } from "js-yaml";
import { describe, expect, it } from "vitest";
import { labSettings } from "../../../lab/settings.ts";
import { ensureStackConfig } from "../../../lab/stack.ts";
import { stackSchema } from "../../../scripts/stack-schema.ts";
import { rawConfig } from "../../helpers/fixtures.ts";

/** Formats are the editor's business; everything else in the schema must be known to the validator. */
const validate = new Ajv({
  allErrors: true,
  validateFormats: false,
  allowUnionTypes: true,
}).compile(stackSchema());

/** Where and how a stack's file is wrong. */
function errors(file: unknown): string[] {
  return validate(file)
    ? []
    : (validate.errors ?? []).map(({ instancePath, message = "", params }) =>
        [instancePath, message, (params as Record<string, unknown>)["additionalProperty"]]
          .filter(Boolean)
          .join(" "),
      );
}

const prod = () => {
  const text = readFileSync(new URL("../../../Pulumi.prod.yaml", import.meta.url), "utf8");
  return load(text) as { config: Record<string, unknown> };
};
const stack = (more: Record<string, unknown>) => ({ config: { ...prod().config, ...more } });
const [service] = rawConfig().services;

describe("the JSON schema of a stack's file", () => {
  it("takes Pulumi.prod.yaml, which names it", () => {
    expect(errors(prod())).toEqual([]);
    const text = readFileSync(new URL("../../../Pulumi.prod.yaml", import.meta.url), "utf8");
    expect(text).toMatch(/^# yaml-language-server: \$schema=schema\/stack\.schema\.json\n/);
  });

  it("takes the stack that the lab writes", async () => {
    const root = await mkdtemp(path.join(tmpdir(), "stack-schema-"));
    try {
      await ensureStackConfig(labSettings(root, {}), "/charts", { newPassphrase: false });
      const text = await readFile(path.join(root, "Pulumi.lab.yaml"), "utf8");
      expect(errors(load(text))).toEqual([]);
    } finally {
      await rm(root, { recursive: true });
    }
  });

  it("takes a stack with services in another stack's mesh, and one with a mesh and no services", () => {
    const meshStack = "organization/istio-canary/mesh";
    expect(errors(stack({ "istio-canary:services": [], "istio-canary:weight": 0 }))).toEqual([]);
    const release = { "istio-canary:meshStack": meshStack, "istio-canary:services": [service] };
    expect(errors({ config: release })).toEqual([]);
  });

  it("takes a stack in an Istio of others, and asks for more where the program installs it", () => {
    const inMesh = (mesh: object) =>
      errors(
        stack({
          "istio-canary:mesh": mesh,
          "istio-canary:ingress": { gateway: "edge/public" },
        }),
      );
    expect(inMesh({ istio: "existing" })).toEqual([]);
    expect(inMesh({})).toEqual(
      expect.arrayContaining([
        expect.stringContaining("must have required property 'id'"),
        expect.stringContaining("must have required property 'istioVersion'"),
      ]),
    );
    expect(errors(stack({ "istio-canary:ingress": {} }))).not.toEqual([]);
  });

  it("takes a service that others have made, and asks for more of one that the program makes", () => {
    const services = (workload: object) =>
      errors(
        stack({
          "istio-canary:services": [
            { ...workload, name: "shop", namespace: "web", stable: { version: "v1" } },
          ],
        }),
      );
    expect(services({ workload: "existing" })).toEqual([]);
    expect(services({})).toEqual(
      expect.arrayContaining([
        expect.stringContaining("must have required property 'port'"),
        expect.stringContaining("must have required property 'image'"),
      ]),
    );
  });

  it("takes what Pulumi writes: secrets, salts, numbers as text, keys of others", () => {
    const secure = { secure: "v1:abc" };
    const file = {
      ...stack({
        "istio-canary:weight": "30",
        "istio-canary:certificates": {
          rotation: 2027,
          root: "PEM",
          clusters: { "cluster-a": { certificate: "PEM", key: secure } },
        },
        "istio-canary:ingress": {
          hosts: ["user.example.com"],
          tls: { credentialName: "user", certificate: secure, key: secure },
        },
        "pulumi:disable-default-providers": ["kubernetes"],
      }),
      secretsprovider: "passphrase",
      encryptionsalt: "v1:abc",
    };
    expect(errors(file)).toEqual([]);
  });

  it.each<[string, unknown, RegExp]>([
    ["nothing", {}, /must have required property 'config'/],
    [
      "an unknown key of the file",
      { ...prod(), secretprovider: "passphrase" },
      /must NOT have additional properties secretprovider/,
    ],
    [
      "an unknown top-level key",
      stack({ "istio-canary:wieght": 10 }),
      /^\/config must NOT have additional properties istio-canary:wieght$/,
    ],
    [
      "an unknown key further down",
      stack({ "istio-canary:services": [{ ...service, stabel: service?.stable }] }),
      /^\/config\/istio-canary:services\/0 must NOT have additional properties stabel$/,
    ],
    [
      "neither a mesh nor the stack that has it",
      { config: { "istio-canary:services": [service] } },
      /^\/config must have required property 'istio-canary:meshStack'$/,
    ],
    ["a weight above 100", stack({ "istio-canary:weight": 130 }), /must be <= 100/],
    ["one cluster", stack({ "istio-canary:clusters": [] }), /must NOT have fewer than 2 items/],
    [
      "a privileged port",
      stack({ "istio-canary:services": [{ ...service, port: 80 }] }),
      /\/port must be >= 1024/,
    ],
    [
      "an image that moves",
      stack({
        "istio-canary:services": [{ ...service, stable: { version: "v1", image: "user:latest" } }],
      }),
      /\/image must match pattern/,
    ],
    [
      "a secret where none is kept",
      stack({ "istio-canary:mesh": { id: { secure: "v1:abc" }, istioVersion: "1.31.0" } }),
      /\/id must be string/,
    ],
    [
      "a service without its versions",
      stack({ "istio-canary:services": [{ name: "a", namespace: "b", port: 8080 }] }),
      /must have required property 'stable'/,
    ],
  ])("refuses %s", (_, file, message) => {
    expect(errors(file)).toContainEqual(expect.stringMatching(message));
  });

  it("says of every key what it means", () => {
    const silent: string[] = [];
    const walk = (json: Record<string, unknown>, path: string): void => {
      for (const [name, inner] of Object.entries(json["properties"] ?? {}) as [
        string,
        Record<string, unknown>,
      ][]) {
        if (inner["description"] === undefined) silent.push(`${path}.${name}`);
        walk(inner, `${path}.${name}`);
      }
      for (const inner of [json["items"], json["additionalProperties"]]) {
        if (typeof inner === "object" && inner !== null) {
          walk(inner as Record<string, unknown>, `${path}[]`);
        }
      }
    };
    walk(stackSchema(), "");
    expect(silent).toEqual([]);
  });
});
