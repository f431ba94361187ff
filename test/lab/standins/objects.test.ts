// @module-tag campaign
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../../../lib/until.ts";
import { Project } from "./project.ts";
import { target } from "./target.ts";

// One project, changed step by step: each test goes on from the state the one before has left.
let project: Project;

/** A definition and an object of it, in the same update and without a dependency between them. */
const THING = (group: string) => `
new k8s.apiextensions.v1.CustomResourceDefinition("definition", {
  metadata: { name: "things.${group}" },
  spec: {
    group: "${group}",
    scope: "Namespaced",
    names: { kind: "Thing", plural: "things", singular: "thing" },
    versions: [{
      name: "v1", served: true, storage: true,
      schema: { openAPIV3Schema: { type: "object", properties: { spec: {
        type: "object", properties: { weight: { type: "integer", maximum: 100 } } } } } },
    }],
  },
}, { provider });
new k8s.apiextensions.CustomResource("thing", {
  apiVersion: "${group}/v1", kind: "Thing", metadata: meta("thing"),
  spec: { weight: config.getNumber("weight") ?? 10 },
}, { provider });
`;

beforeAll(async () => {
  project = await Project.create();
});
afterAll(async () => project.destroy());

const group = () => `${project.namespace}.test`;
const weight = async () =>
  project.kubectl("get", `things.${group()}`, "thing", "--output", "jsonpath={.spec.weight}");

test("a preview says what will be created and creates nothing", async () => {
  await project.program(THING(group()));
  expect(Object.keys(await project.preview())).toEqual(
    expect.arrayContaining(["create namespace", "create definition", "create thing"]),
  );
  expect(await project.kubectl("get", "namespace", project.namespace)).toBeUndefined();
});

test("an object of a definition made in the same update is created once the definition is there", async () => {
  await project.up();
  expect(await weight()).toBe("10");
});

test("after an update there is nothing left to do", async () => {
  expect(await project.preview()).toEqual({});
});

test("a change is shown by its path, and made in place", async () => {
  await project.config("weight", "30");
  expect(await project.preview()).toEqual({ "update thing": ["spec.weight"] });
  await project.up();
  expect(await weight()).toBe("30");
});

test("the API server's validation stops the preview", async () => {
  await project.config("weight", "101");
  const { ok, text } = await project.pulumi("preview");
  expect(ok).toBe(false);
  expect(text).toContain("spec.weight: Invalid value: 101");
  await project.config("weight", "30");
});

test("a refresh shows what someone else has changed; an update by force takes it back", async () => {
  const patch = '{"spec":{"weight":45}}';
  await project.kubectl("patch", `things.${group()}`, "thing", "--type", "merge", "--patch", patch);
  expect(await project.preview()).toEqual({});
  expect(await project.must("refresh", "--yes", "--diff")).toMatch(/weight: 30 => 45/);
  const conflict = await project.pulumi("up", "--yes", "--skip-preview");
  expect(conflict.text).toContain('conflict with "kubectl-patch"');
  await project.program(
    THING(group()).replace(
      'meta("thing")',
      '{ ...meta("thing"), annotations: { "pulumi.com/patchForce": "true" } }',
    ),
  );
  await project.up();
  expect(await weight()).toBe("30");
});

test("an object that was deleted by someone else is noticed and recreated", async () => {
  await project.kubectl("delete", `things.${group()}`, "thing");
  await project.must("refresh", "--yes");
  expect(await project.preview()).toEqual({ "create thing": [] });
  await project.up();
  expect(await weight()).toBe("30");
});

test("secrets and a service account's token are nowhere in plain text", async () => {
  await project.program(`
    new k8s.core.v1.Secret("secret", {
      metadata: meta("secret"), stringData: { password: pulumi.secret("opensesame") } }, { provider });
    const account = new k8s.core.v1.ServiceAccount("account", { metadata: meta("account") }, { provider });
    const token = new k8s.core.v1.Secret("token", {
      type: "kubernetes.io/service-account-token",
      metadata: { ...meta("token"), annotations: { "kubernetes.io/service-account.name": account.metadata.name } },
    }, { provider });
    export const length = pulumi.unsecret(token.data.apply((data) => data["token"]?.length ?? 0));
  `);
  const text = await project.up();
  expect(await project.output("length")).toBeGreaterThan(100);
  const token = await project.kubectl(
    ...["get", "secret", "token", "--output", "jsonpath={.data.token}"],
  );
  const stored = await project.stored();
  for (const plain of ["opensesame", btoa("opensesame"), token ?? "", atob(token ?? "")]) {
    expect(stored.includes(plain)).toBe(false);
    expect(text.includes(plain)).toBe(false);
  }
  expect(await project.preview()).toEqual({});
});

test("a refused Secret is reported without its content", async () => {
  await project.program(`
    new k8s.core.v1.Secret("refused", {
      type: "kubernetes.io/dockerconfigjson", metadata: meta("refused"),
      stringData: { ".dockerconfigjson": pulumi.secret("opensesame") } }, { provider });
  `);
  const { ok, text } = await project.pulumi("up", "--yes", "--skip-preview");
  expect(ok).toBe(false);
  expect(text).toContain("data[.dockerconfigjson]");
  expect(text).not.toContain("opensesame");
});

test("a fixed name is deleted before it is recreated, a generated one after", async () => {
  const maps = (value: string) => `
    new k8s.core.v1.ConfigMap("fixed", { metadata: meta("fixed"), data: { a: "${value}" } }, { provider });
    const generated = new k8s.core.v1.ConfigMap("generated", {
      metadata: { namespace: namespace.metadata.name }, data: { a: "${value}" } }, { provider });
    export const name = generated.metadata.name;
  `;
  await project.program(maps("1"));
  await project.up();
  const first = await project.output("name");
  expect(first).toMatch(/^generated-[0-9a-f]{8}$/);
  await project.program(maps("2"));
  expect(await project.preview()).toEqual({
    "replace fixed": ["data.a"],
    "replace generated": ["data.a"],
  });
  const text = await project.up();
  const before = (first: string, second: string) => text.indexOf(first) < text.indexOf(second);
  expect(before("fixed deleted original", "fixed created replacement")).toBe(true);
  expect(before("generated created replacement", "generated deleted original")).toBe(true);
  expect(await project.output("name")).not.toBe(first);
  expect(await project.kubectl("get", "configmap", String(first))).toBeUndefined();
  const fixed = await project.kubectl("get", "configmap", "fixed", "--output", "jsonpath={.data}");
  expect(fixed).toBe('{"a":"2"}');
});

test("someone else's object is not taken over, but can be imported", async () => {
  await project.kubectl("create", "configmap", "theirs", "--from-literal", "a=1");
  const map = (options: string) => `
    new k8s.core.v1.ConfigMap("theirs", { metadata: meta("theirs"), data: { a: "1" } },
      { provider, ${options} });
  `;
  await project.program(map(""));
  // As with the official provider, only the update sees it.
  expect(await project.preview()).toMatchObject({ "create theirs": [] });
  const refused = await project.pulumi("up", "--yes", "--skip-preview");
  expect(refused.ok).toBe(false);
  expect(refused.text).toMatch(/configmaps? "(\S+\/)?theirs" already exists/i);
  await project.program(map(`import: "${project.namespace}/theirs"`));
  expect(await project.preview()).toMatchObject({ "import theirs": [] });
  await project.up();
  await project.program(map(""));
  expect(await project.preview()).toEqual({});
});

test("a cancelled update ends soon and keeps what it has made; the next one goes on from it", async () => {
  await project.program(`
    const balancer = new k8s.core.v1.Service("balancer", {
      metadata: meta("balancer"),
      // A class that no load balancer of the cluster serves: its address stays away until the test sets one.
      spec: { type: "LoadBalancer", loadBalancerClass: "standins.test/none", ports: [{ port: 80 }] },
    }, { provider });
    export const address = balancer.status.loadBalancer.ingress[0]?.ip;
  `);
  const update = project.start("up", "--yes", "--skip-preview");
  await until(
    "the service",
    async () => {
      if (!(await project.kubectl("get", "service", "balancer"))) throw new Error("not there yet");
    },
    { timeoutMs: 60_000, everyMs: 300 },
  );
  const cancelled = Date.now();
  update.kill("SIGINT");
  const { all } = await update;
  expect(Date.now() - cancelled).toBeLessThan(8_000);
  expect(all).toMatch(/the load balancer has no address yet|was not allocated an IP address/);
  expect(all).not.toContain("exited prematurely");
  const status = '{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}';
  await project.kubectl(
    ...["patch", "service", "balancer", "--subresource", "status", "--patch", status],
  );
  await project.up();
  expect(await project.output("address")).toBe("192.0.2.1");
});

// The official provider creates since 4.29 (#2926), and takes nothing over; upsertExistingObjects brings that back.
test("an object whose creation was lost with the state is in the way, until it may be taken over", async () => {
  await project.program(`
    new k8s.core.v1.ConfigMap("lost", { metadata: meta("lost"), data: { a: "1" } }, { provider });
  `);
  await project.up();
  await project.must("state", "delete", "--yes", await project.urn("lost"));
  const { ok, text } = await project.pulumi("up", "--yes", "--skip-preview");
  expect(ok).toBe(false);
  expect(text).toMatch(/configmaps? "(\S+\/)?lost" already exists/i);
  project.set("PULUMI_K8S_UPSERT_EXISTING_OBJECTS", "true");
  await project.up();
  project.set("PULUMI_K8S_UPSERT_EXISTING_OBJECTS", "");
  await project.up();
  expect(await project.preview()).toEqual({});
});

// Update in provider/pkg/await/await.go of the official provider reads the object first.
test("an update of an object that is gone makes none, and its preview fails too", async () => {
  const map = (value: string) => `
    new k8s.core.v1.ConfigMap("lost", { metadata: meta("lost"), data: { a: "${value}" } },
      { provider: new k8s.Provider("mutable", {
          kubeconfig: process.env["KUBECONFIG"] ?? "", context: ${JSON.stringify(target.context)},
          enableConfigMapMutable: true }) });
  `;
  await project.program("");
  await project.up();
  await project.program(map("1"));
  await project.up();
  await project.kubectl("delete", "configmap", "lost");
  await project.program(map("2"));
  for (const command of [["preview"], ["up", "--yes", "--skip-preview"]]) {
    const { ok, text } = await project.pulumi(...command);
    expect(ok).toBe(false);
    expect(text).toContain('configmaps "lost" not found');
  }
  await project.must("refresh", "--yes");
  await project.up();
  expect(await project.kubectl("get", "configmap", "lost", "--output", "jsonpath={.data.a}")).toBe(
    "2",
  );
});

test("an existing service can be read, and read again in a preview", async () => {
  await project.program(`
    const service = k8s.core.v1.Service.get("existing", "default/kubernetes", { provider });
    export const port = service.spec.ports[0]?.port;
  `);
  await project.up();
  expect(await project.output("port")).toBe(443);
});

test("hooks and dynamic resources of the program run", async () => {
  await project.program(`
    class Answer extends pulumi.dynamic.Resource {
      declare readonly answer: pulumi.Output<number>;
      constructor(name: string) {
        super({ async create() { return { id: "answer", outs: { answer: 42 } }; } }, name, { answer: undefined });
      }
    }
    export const answer = new Answer("answer").answer;
    const hook = new pulumi.ResourceHook("hook", async () => { console.log("the hook has run"); });
    new k8s.core.v1.ConfigMap("hooked", { metadata: meta("hooked"), data: {} },
      { provider, hooks: { afterCreate: [hook] } });
  `);
  expect(await project.up()).toContain("the hook has run");
  expect(await project.output("answer")).toBe(42);
});
