import * as z from "zod";
import { describe, expect, it } from "vitest";
import { configKeys, defaultText, flatten } from "../../../scripts/config-keys.ts";
import { schema } from "../../../stacks/schema.ts";
import { bare } from "../../../stacks/schema/structure.ts";
import { key } from "../../../stacks/schema/values.ts";

const all = configKeys(schema).flatMap(flatten);
const leaves = all.filter(({ children }) => children.length === 0);
const at = (path: string) => all.find((known) => known.path === path);

describe("the configuration's keys", () => {
  it("are found at every level, in lists and in maps by cluster", () => {
    expect(all.map(({ path }) => path)).toEqual(
      expect.arrayContaining([
        "kubeconfig",
        "mesh.values.istiod",
        "clusters[].eastWestAddresses",
        "certificates.clusters.<cluster>.key",
        "ingress.tls.httpsRedirect",
        "services[].canary.image",
        "services[].matches[].cookie",
        "services[].resources.limits",
        "weight",
      ]),
    );
    expect(new Set(all.map(({ path }) => path)).size).toBe(all.length);
  });

  it.each(leaves.map((leaf) => [leaf.path, leaf] as const))(
    "%s says what it means, what a change does, what holds without it, and shows one",
    (_, leaf) => {
      expect(leaf.meta.description).toMatch(/^[A-Z][^]+[.`]$/);
      expect(leaf.meta.effect).toMatch(/\.$/);
      expect(defaultText(leaf, (value) => value)).not.toBe("");
      expect(leaf.meta.examples?.length).toBeGreaterThan(0);
    },
  );

  it("have the types, defaults and rules of the schema", () => {
    expect(at("services[].stable.replicas")).toMatchObject({
      type: "whole number",
      required: false,
      default: 5,
      rules: [
        "must be a whole number from 1 to 1000",
        "must be left out with `autoscaling`",
        "must not be less in stable, while a canary serves requests, than stable had when the canary began",
      ],
    });
    expect(at("clusters[].name")).toMatchObject({ type: "text", required: true });
    expect(at("ingress.hosts")).toMatchObject({
      type: "list of text",
      required: false,
      rules: [
        "must list at least one host, each once",
        "each must be a domain name in lower case",
        "must be left out if `mesh.istio` is existing",
        expect.stringMatching(/^each host must lead to a service, or to several that share it/),
      ],
    });
    expect(at("services[].matches[].cookie")).toMatchObject({
      type: "map of text",
      rules: [
        "must be one cookie",
        "each key must be the name of a cookie",
        expect.stringMatching(/^each value must be the value of a cookie/),
      ],
    });
    expect(at("certificates.rotation")).toMatchObject({ type: "text", default: "1" });
  });

  it.each(all.map((known) => [known.path, known] as const))(
    "%s gives examples that its schema takes",
    (_, { schema: type, meta }) => {
      for (const example of meta.examples ?? []) {
        // Pulumi decrypts a value before the program sees it.
        const decrypted = JSON.stringify(example).replaceAll(/\{"secure":("[^"]+")\}/g, "$1");
        expect(z.safeParse(type, JSON.parse(decrypted)).error).toBeUndefined();
      }
    },
  );

  it("are told once where two keys have the same within them", () => {
    expect(at("services[].trafficPolicy.loadBalancer.simple")).toBeDefined();
    for (const role of ["stable", "canary"]) {
      const { schema: type, meta, children } = at(`services[].${role}.trafficPolicy`) ?? {};
      expect(children).toEqual([]);
      const told = at(meta?.sameAs ?? "");
      expect(told?.children).not.toEqual([]);
      expect(type && bare(type)).toBe(told && bare(told.schema));
    }
  });

  it("cannot be without a description or without a default", () => {
    expect(() => configKeys({ bare: z.string() })).toThrow(/^bare has no description/);
    const [silent] = configKeys({ silent: key(z.string().optional(), { description: "Quiet." }) });
    expect(() => silent && defaultText(silent, String)).toThrow(/^silent may be left out/);
  });
});
