import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { replacedConfig } from "../../standins/kubernetes-provider/config-diff.ts";
import { changesBetween } from "../../standins/kubernetes-provider/diff.ts";
import type { Fields } from "../../standins/kubernetes-provider/values.ts";

// DiffConfig in provider/pkg/provider/provider.go of the official provider, and clusterIdentifier in its schema.
let folder: string;

const kubeconfig = (server: string, ca: string) => `
apiVersion: v1
kind: Config
contexts:
  - {name: a, context: {cluster: one, user: me}}
  - {name: b, context: {cluster: two, user: me}}
clusters:
  - {name: one, cluster: {server: "${server}", certificate-authority-data: "${ca}"}}
  - {name: two, cluster: {server: "https://two.test", certificate-authority-data: "${ca}"}}
users: [{name: me, user: {}}]
`;
const files = {
  first: kubeconfig("https://one.test", "Q0E="),
  same: `# elsewhere${kubeconfig("https://one.test", "Q0E=")}`,
  renewed: kubeconfig("https://one.test", "TmV3"),
  moved: kubeconfig("https://other.test", "Q0E="),
};
type File = keyof typeof files | "gone";
const pathOf = (name: File) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "config-diff-"));
  for (const [name, text] of Object.entries(files)) await writeFile(pathOf(name as File), text);
});
afterAll(async () => rm(folder, { recursive: true }));

async function replaced(before: File, after: File, olds: Fields = {}, news: Fields = {}) {
  const old = { kubeconfig: pathOf(before), context: "a", ...olds };
  const now = { kubeconfig: pathOf(after), context: "a", ...news };
  return replacedConfig(old, now, changesBetween(old, now));
}

test.each<[File, File, string[]]>([
  ["first", "first", []],
  ["first", "same", []],
  ["first", "moved", ["kubeconfig"]],
  ["first", "renewed", ["kubeconfig"]],
  ["gone", "first", []],
  ["first", "gone", []],
])("a kubeconfig %s that becomes %s replaces by %j", async (before, after, expected) => {
  expect(await replaced(before, after)).toEqual(expected);
});

test("another context replaces if it leads to another cluster", async () => {
  expect(await replaced("first", "first", {}, { context: "b" })).toEqual(["context"]);
});

test("a clusterIdentifier that stays keeps the resources, and one that changes replaces them", async () => {
  const [one, two] = [{ clusterIdentifier: "one" }, { clusterIdentifier: "two" }];
  expect(await replaced("first", "moved", one, one)).toEqual([]);
  expect(await replaced("first", "first", one, two)).toEqual(["clusterIdentifier"]);
  expect(await replaced("first", "first", {}, one)).toEqual([]);
});

test("a clusterIdentifier that comes or goes neither replaces nor keeps anything", async () => {
  const one = { clusterIdentifier: "one" };
  expect(await replaced("first", "first", {}, one)).toEqual([]);
  expect(await replaced("first", "same", {}, one)).toEqual([]);
  expect(await replaced("first", "gone", {}, one)).toEqual([]);
  expect(await replaced("first", "moved", {}, one)).toEqual(["kubeconfig"]);
  expect(await replaced("first", "moved", one, {})).toEqual(["kubeconfig"]);
});

test("what the kubeconfig says of a cluster may change in any field while it has one clusterIdentifier", async () => {
  const one = { clusterIdentifier: "one" };
  expect(await replaced("first", "renewed", one, one)).toEqual([]);
  const text = await readFile(pathOf("first"), "utf8");
  const proxied = text.replaceAll("{server:", "{proxy-url: 'http://proxy.test:3128', server:");
  const inline = (kubeconfig: string, more: Fields = {}) => ({ kubeconfig, ...more });
  expect(await replaced("first", "first", inline(text), inline(proxied))).toEqual(["kubeconfig"]);
  expect(await replaced("first", "first", inline(text, one), inline(proxied, one))).toEqual([]);
});
