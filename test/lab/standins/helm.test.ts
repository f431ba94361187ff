// @module-tag campaign
import { rm } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../../../lib/until.ts";
import { Project } from "./project.ts";
import { target } from "./target.ts";

const { isLab } = target;

// One project, changed step by step: each test goes on from the state the one before has left.
let project: Project;
let chart: string;

const DEPLOYMENT = `
{{- if .Values.deploy }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec: {containers: [{name: app, image: "lab.invalid/none:1", imagePullPolicy: Never}]}
{{- end }}
`;

beforeAll(async () => {
  project = await Project.create();
  await project.file(
    "chart/Chart.yaml",
    "{apiVersion: v2, name: tiny, version: 1.2.3, appVersion: '7'}",
  );
  await project.file("chart/values.yaml", "data: {}\ndeploy: false\n");
  await project.file(
    "chart/values.schema.json",
    '{"type": "object", "properties": {"deploy": {"type": "boolean"}}}',
  );
  const template = await project.file(
    "chart/templates/all.yaml",
    `apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
stringData: {{ toJson .Values.data }}
${DEPLOYMENT}`,
  );
  chart = template.replace("/templates/all.yaml", "");
});
afterAll(async () => project.destroy());

const release = (values: string, more = "") => `
const release = new k8s.helm.v3.Release("release", {
  name: "tiny", namespace: namespace.metadata.name, chart: ${JSON.stringify(chart)},
  values: ${values}, ${more}
}, { provider });
export const status = release.status;
`;
const values = async () =>
  JSON.parse(
    (await project.helm("get", "values", "tiny", "--output", "json")) ?? "null",
  ) as unknown;

test("a release is installed with values that stay secret", async () => {
  const program = release('{ data: { password: pulumi.secret("opensesame"), none: null } }');
  await project.program(program);
  expect(Object.keys(await project.preview())).toContain("create release");
  const text = await project.up();
  // The official provider keeps a null since 4.30 (#2997): it deletes the chart's default.
  expect(await values()).toEqual({ data: { password: "opensesame", none: null } });
  expect(await project.output("status")).toEqual({
    name: "tiny",
    namespace: project.namespace,
    chart: "tiny",
    version: "1.2.3",
    appVersion: "7",
    revision: 1,
    status: "deployed",
  });
  expect(text).not.toContain("opensesame");
  expect(await project.stored()).not.toContain("opensesame");
  expect(await project.preview()).toEqual({});
});

test("a value is shown by its path, and changed by an upgrade", async () => {
  await project.program(release('{ data: { password: "other", more: "x" } }'));
  expect(await project.preview()).toEqual({
    "update release": ["values.data.more", "values.data.none", "values.data.password"],
  });
  await project.up();
  expect(await values()).toEqual({ data: { password: "other", more: "x" } });
});

test("a refresh shows values that someone else has set; an update takes them back", async () => {
  await project.helmWrite("upgrade", "tiny", chart, "--reuse-values", "--set", "data.more=y");
  expect(await project.must("refresh", "--yes", "--diff")).toMatch(/more\s*: "x" => "y"/);
  await project.up();
  expect(await values()).toEqual({ data: { password: "other", more: "x" } });
});

test("values that the chart does not allow stop the preview", async () => {
  await project.program(release('{ deploy: "yes" }'));
  const { ok, text } = await project.pulumi("preview");
  expect(ok).toBe(false);
  expect(text).toMatch(/deploy.*boolean/s);
});

// Diff in provider/pkg/provider/helm_release.go compares inputs, and the chart's content is none of them.
test("a change of the chart on disk is not seen while its version stays", async () => {
  const more = await project.file(
    "chart/templates/more.yaml",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n",
  );
  await project.program(release('{ data: { password: "other", more: "x" } }'));
  expect(await project.preview()).toEqual({});
  await rm(more);
});

test("a release that does not become ready tells helm's reason and the pods'; the next update repairs it", async () => {
  await project.program(release("{ deploy: true }", "timeout: 8, cleanupOnFail: true"));
  const { ok, text } = await project.pulumi("up", "--yes", "--skip-preview");
  expect(ok).toBe(false);
  if (isLab) {
    expect(text).toContain(`Deployment ${project.namespace}/tiny: 0 of 1 pods are available`);
    expect(text).toMatch(/pod tiny-\S+: container "app": ErrImageNeverPull/);
  }
  await project.program(release("{ deploy: false }"));
  await project.up();
  expect(await project.preview()).toEqual({});
});

test("a cancelled upgrade ends soon, and the next update goes on from it", async () => {
  await project.program(release("{ deploy: true }", "timeout: 120, cleanupOnFail: true"));
  const update = project.start("up", "--yes", "--skip-preview");
  await until(
    "helm to have begun",
    async () => {
      if (!(await project.kubectl("get", "deployment", "tiny"))) throw new Error("no deployment");
    },
    { timeoutMs: 60_000, everyMs: 300 },
  );
  const cancelled = Date.now();
  update.kill("SIGINT");
  expect((await update).all).not.toContain("exited prematurely");
  expect(Date.now() - cancelled).toBeLessThan(10_000);
  await project.program(release("{ deploy: false }"));
  await project.up();
  expect(await project.preview()).toEqual({});
});

// As with the official provider, whose helm keeps the record as a lock (prepareUpgrade in Helm's pkg/action/upgrade.go).
test("what a helm that was killed has recorded blocks every update, until its Secret is deleted", async () => {
  await project.program(release('{ data: { a: "b" } }', "timeout: 120"));
  await project.up();
  await project.program(release('{ data: { c: "d" }, deploy: true }', "timeout: 120"));
  const update = project.start("up", "--yes", "--skip-preview");
  const pending = ["get", "secrets", "--selector", "owner=helm,status=pending-upgrade"];
  const record = await until(
    "helm to have begun",
    async () => {
      const name = await project.kubectl(...pending, "--output", "name");
      if (name === undefined || name === "") throw new Error("it has not begun");
      return name;
    },
    { timeoutMs: 60_000, everyMs: 100 },
  );
  await project.kill();
  await update;
  await project.program(release('{ data: { c: "d" } }', "timeout: 120"));
  const { ok, text } = await project.pulumi("up", "--yes", "--skip-preview");
  expect(ok).toBe(false);
  expect(text).toContain("another operation (install/upgrade/rollback) is in progress");
  await project.kubectl("delete", record);
  await project.up();
  expect(await values()).toEqual({ data: { c: "d" } });
  expect(await project.preview()).toEqual({});
});

test("someone else's release is not taken over, but can be imported", async () => {
  await project.helmWrite("install", "theirs", chart, "--set", "data.a=b");
  const theirs = (options: string) => `
    new k8s.helm.v3.Release("theirs", {
      name: "theirs", namespace: namespace.metadata.name, chart: "tiny", version: "1.2.3",
      values: { data: { a: "b" } } }, { provider, ${options} });
  `;
  await project.program(theirs(""));
  const { ok, text } = await project.pulumi("up", "--yes", "--skip-preview");
  expect(ok).toBe(false);
  expect(text).toContain("cannot re-use a name that is still in use");
  await project.program(theirs(`import: "${project.namespace}/theirs"`));
  await project.up();
  expect(await project.helm("status", "tiny")).toBeUndefined();
});

test("a release that is no longer declared is uninstalled", async () => {
  await project.program("");
  await project.up();
  expect(await project.helm("list", "--short")).toBe("");
});
