import { expect, test } from "vitest";
import {
  registryConfig,
  releaseArguments,
  statusOf,
  templateArguments,
  unsupportedInputs,
  valueSources,
} from "../../standins/kubernetes-provider/helm-command.ts";
import { ASSET, type Fields } from "../../standins/kubernetes-provider/values.ts";

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const release: Fields = {
  name: "istiod",
  namespace: "istio-system",
  chart: "/charts/istiod.tgz",
  values: { pilot: { password: "opensesame" } },
};
const upgrade = (more: Fields = {}, timeout = 0) =>
  releaseArguments("upgrade", { ...release, ...more }, ["/tmp/values.yaml"], timeout);
const install = (more: Fields) =>
  releaseArguments("install", { ...release, ...more }, ["/tmp/values.yaml"], 0);

// helmUpdate in provider/pkg/provider/helm_release.go of the official provider.
test("an update upgrades the release, waits for it, and keeps all its revisions", () => {
  expect(upgrade()).toEqual([
    "upgrade",
    "istiod",
    "/charts/istiod.tgz",
    "--values",
    "/tmp/values.yaml",
    "--timeout",
    "300s",
    "--server-side=false",
    "--wait=legacy",
    "--history-max",
    "0",
    "--output",
    "json",
    "--hide-notes",
  ]);
});

// helmCreate there: it is never an upgrade of what is there.
test("a creation installs the release, with the flags that an installation has", () => {
  const args = install({ maxHistory: 3, cleanupOnFail: true, createNamespace: true });
  expect(args.slice(0, 2)).toEqual(["install", "istiod"]);
  expect(args).toContain("--create-namespace");
  expect(args.join(" ")).not.toMatch(/history-max|cleanup-on-fail/);
  expect(upgrade({ createNamespace: true })).not.toContain("--create-namespace");
});

test("values are never arguments", () => {
  expect(upgrade().join(" ")).not.toContain("opensesame");
});

test.each<[Fields, string[]]>([
  [{ atomic: true }, ["--rollback-on-failure"]],
  [{ cleanupOnFail: true }, ["--cleanup-on-fail"]],
  [{ skipCrds: true }, ["--skip-crds"]],
  [{ maxHistory: 3 }, ["--history-max", "3"]],
  [{ waitForJobs: true }, ["--wait=legacy", "--wait-for-jobs"]],
  [{ version: "1.31.0" }, ["--version", "1.31.0"]],
  [{ repositoryOpts: { repo: "https://charts.test" } }, ["--repo", "https://charts.test"]],
])("%j is passed on as %j", (inputs, expected) => {
  const args = upgrade(inputs);
  const start = args.indexOf(expected[0] ?? "");
  expect(args.slice(start, start + expected.length)).toEqual(expected);
});

test("nothing is waited for if the release says so", () => {
  expect(upgrade({ skipAwait: true, waitForJobs: true }).join(" ")).not.toContain("--wait");
});

test("the release's own timeout goes before the resource's, and that before the default", () => {
  const seconds = (args: string[]) => args[args.indexOf("--timeout") + 1];
  expect(seconds(upgrade({ timeout: 60 }, 30))).toBe("60s");
  expect(seconds(upgrade({}, 30))).toBe("30s");
});

test("a preview renders the chart with the same values", () => {
  expect(templateArguments({ ...release, version: "1.31.0" }, ["a.yaml", "b.yaml"])).toEqual([
    "template",
    "istiod",
    "/charts/istiod.tgz",
    "--version",
    "1.31.0",
    "--values",
    "a.yaml",
    "--values",
    "b.yaml",
  ]);
});

// decodeRelease in the official provider's helm_release.go, since 4.30 (#2997).
test("nulls in values stay: they delete the chart's defaults", () => {
  const values: Fields = { a: null, b: { c: null, d: [null, 1] } };
  expect(valueSources({ values }).values).toEqual(values);
});

test("value files may be files or texts, no remote assets", () => {
  const asset = (content: Fields): Fields => ({ [SIGNATURE]: ASSET, ...content });
  expect(
    valueSources({ valueYamlFiles: [asset({ path: "a.yaml" }), asset({ text: "b: 1" })] }).files,
  ).toEqual([{ path: "a.yaml" }, { text: "b: 1" }]);
  expect(() => valueSources({ valueYamlFiles: [asset({ uri: "https://x.test" })] })).toThrow(
    "only files and texts",
  );
});

test("inputs that cannot be carried out are named, flags that are off are not", () => {
  expect(
    unsupportedInputs({
      replace: true,
      verify: false,
      repositoryOpts: { repo: "https://charts.test", password: "x" },
    }),
  ).toEqual(["replace", "repositoryOpts.password"]);
});

test("the status names what upstream's does", () => {
  const metadata = {
    name: "a",
    namespace: "b",
    revision: 2,
    status: "deployed",
    chart: "c",
    version: "1",
    appVersion: "2",
  };
  expect(statusOf({ ...metadata, labels: {}, deployedAt: "now" })).toEqual(metadata);
});

// getChart there: only with both, and only for the registry of the chart.
test("helm is logged in to the registry of a chart by a file, and by no argument", () => {
  const repositoryOpts = { username: "istio-canary", password: "opensesame" };
  const chart = "oci://registry.example.com:5000/istio/istiod";
  const auth = Buffer.from("istio-canary:opensesame").toString("base64");
  expect(JSON.parse(registryConfig({ ...release, chart, repositoryOpts }) ?? "")).toEqual({
    auths: { "registry.example.com:5000": { auth } },
  });
  expect(install({ chart, repositoryOpts }).join(" ")).not.toContain("opensesame");
  expect(unsupportedInputs({ chart, repositoryOpts })).toEqual([]);
  expect(registryConfig({ chart })).toBeUndefined();
  expect(registryConfig({ chart, repositoryOpts: { username: "istio-canary" } })).toBeUndefined();
});
