import * as pulumi from "@pulumi/pulumi";
import { afterEach, expect, it, vi } from "vitest";
import { onResourceChange } from "../../../stacks/on-resource-change.ts";

vi.mock(import("@pulumi/pulumi"), async (original) => ({
  ...(await original()),
  // The real one needs an engine.
  ResourceHook: class {
    readonly name: string;
    readonly callback: () => void;
    constructor(name: string, callback: () => void) {
      this.name = name;
      this.callback = callback;
    }
  } as unknown as typeof pulumi.ResourceHook,
}));

const VIRTUAL_SERVICE = "kubernetes:networking.istio.io/v1:VirtualService";

afterEach(() => {
  vi.restoreAllMocks();
});

/** What becomes of a resource's hooks. */
function hooksOf(notify: () => void, type: string, isCustom: boolean) {
  const register = vi.spyOn(pulumi.runtime, "registerStackTransformation").mockReturnValue();
  onResourceChange(notify);
  const [transform] = register.mock.calls[0] ?? [];
  const own = new pulumi.ResourceHook("own", () => undefined);
  // As it is while its constructor runs.
  const { prototype } = isCustom ? pulumi.CustomResource : pulumi.ComponentResource;
  const resource = Object.create(prototype) as pulumi.Resource;
  const opts = { hooks: { beforeUpdate: [own], beforeDelete: [own] } };
  const hooks = transform?.({ resource, type, name: "one", props: {}, opts })?.opts.hooks;
  return { hooks, own };
}

it("a resource tells before it is created or updated, and keeps the hooks that it has", () => {
  const notify = vi.fn<() => void>();
  const { hooks, own } = hooksOf(notify, "kubernetes:apps/v1:Deployment", true);
  expect(hooks).toEqual({
    beforeCreate: [expect.objectContaining({ callback: notify })],
    beforeUpdate: [own, expect.objectContaining({ callback: notify })],
    beforeDelete: [own],
  });
});

it.each([
  ["a VirtualService", VIRTUAL_SERVICE, true],
  ["a component", "istio-canary:mesh:CanaryRoute", false],
])("%s is left as it is", (_, type, isCustom) => {
  expect(hooksOf(() => undefined, type, isCustom).hooks).toBeUndefined();
});
