import { readdirSync, readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { dump, load } from "js-yaml";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { problemLine } from "../../../lib/problems.ts";
import { stackSchema } from "../../../scripts/stack-schema.ts";
import { parseConfig } from "../../../stacks/config.ts";
import { installMesh } from "../../../stacks/mesh.ts";
import { recordProgram } from "../../helpers/mocks.ts";

const folder = new URL("../../../docs/clouds/", import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
const read = (name: string) => readFileSync(new URL(name, folder), "utf8");
const stack = z.object({
  config: z.looseObject({
    "istio-canary:clusters": z.array(z.looseObject({ name: z.string(), context: z.string() })),
  }),
});

const validate = new Ajv({
  allErrors: true,
  validateFormats: false,
  allowUnionTypes: true,
}).compile(stackSchema());

/** Annotations and fields by which each platform makes a load balancer that the internet does not reach. */
const INTERNAL: Readonly<Record<string, object>> = {
  eks: { annotations: { "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal" } },
  gke: { annotations: { "networking.gke.io/load-balancer-type": "Internal" } },
  aks: { annotations: { "service.beta.kubernetes.io/azure-load-balancer-internal": "true" } },
};

/** What the program registers with a recipe. */
async function installed(name: string) {
  const { config } = stack.parse(load(read(name)));
  const clusters = config["istio-canary:clusters"];
  const raw = Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key.replace("istio-canary:", ""), value]),
  );
  const kubeconfig = dump({
    clusters: clusters.map(({ name }) => ({
      name,
      cluster: { server: `https://${name}.example.com` },
    })),
    users: [{ name: "me", user: {} }],
    contexts: clusters.map(({ name, context }) => ({
      name: context,
      context: { cluster: name, user: "me" },
    })),
  });
  const { settings, problems } = parseConfig({ ...raw, kubeconfig });
  expect(problems.map(problemLine)).toEqual([]);
  if (!settings || !("certificates" in settings)) throw new Error("the recipe has no mesh");
  const program = await recordProgram();
  installMesh(settings);
  await program.settle();
  return { program, clusters };
}

describe.each(files)("docs/clouds/%s", (name) => {
  const platform = /^Pulumi\.(.+)\.yaml$/.exec(name)?.[1] ?? "";

  it("is a stack's file by the schema that its first line names", () => {
    validate(load(read(name)));
    expect(validate.errors ?? []).toEqual([]);
    expect(read(name)).toMatch(
      /^# yaml-language-server: \$schema=\.\.\/\.\.\/schema\/stack\.schema\.json\n/,
    );
  });

  it("installs a mesh whose gateways between the clusters open no more than needed, inside where the platform can", async () => {
    const { program, clusters } = await installed(name);
    for (const cluster of clusters) {
      const { values } = program.named(`east-west-gateway-${cluster.name}-release`).inputs;
      expect(values).toMatchObject({
        rbac: { enabled: false },
        service: { ports: [{ port: 15021 }, { port: 15443 }], ...INTERNAL[platform] },
      });
    }
  });

  it("has a section that tells about it", () => {
    expect(read("README.md")).toContain(`(${name})`);
  });
});

it("there is a recipe for each platform", () => {
  expect(files.map((name) => name.split(".")[1]).sort()).toEqual([
    "aks",
    "eks",
    "gke",
    "local",
    "openshift",
    "proxied",
  ]);
});
