/** What a Release's inputs mean to the `helm` program, as functions of the inputs alone. */
import { isAsset, isFields, listAt, at, textAt, type Fields } from "./values.ts";

/** Seconds helm waits for a release by default, as in the official provider. */
const READY_WITHIN = 300;

/** Inputs this stand-in does not carry out; it refuses them rather than doing something else. */
const UNSUPPORTED = [
  "forceUpdate",
  "keyring",
  "lint",
  "postrender",
  "recreatePods",
  "replace",
  "resetValues",
  "reuseValues",
  "verify",
] as const;

/** Whether an input asks for something: a flag that is false asks for nothing. */
function asksFor(inputs: Fields, name: string): boolean {
  const value = at(inputs, name);
  return value !== undefined && value !== null && value !== false && value !== "";
}

const isRegistryChart = (inputs: Fields) => textAt(inputs, "chart")?.startsWith("oci://") === true;

/** What may not be set, by property. */
export function unsupportedInputs(inputs: Fields): string[] {
  // Helm takes the password of a repository that is no registry from its arguments, which any user could read.
  const ofRepository = isRegistryChart(inputs) ? [] : ["username", "password"];
  const credentials = [...ofRepository, "caFile", "certFile", "keyFile"]
    .filter((name) => at(inputs, "repositoryOpts", name) !== undefined)
    .map((name) => `repositoryOpts.${name}`);
  return [...UNSUPPORTED.filter((name) => asksFor(inputs, name)), ...credentials];
}

/**
 * Text of a file by which helm is logged in to the registry of a release's chart; undefined if it need not be. The
 * official provider has such a file for the time of a release, too (getChart in helm_release.go).
 */
export function registryConfig(inputs: Fields): string | undefined {
  const username = textAt(inputs, "repositoryOpts", "username");
  const password = textAt(inputs, "repositoryOpts", "password");
  if (!isRegistryChart(inputs) || !username || !password) return undefined;
  const { host } = new URL(textAt(inputs, "chart") ?? "");
  const auth = Buffer.from(`${username}:${password}`).toString("base64");
  return JSON.stringify({ auths: { [host]: { auth } } });
}

/** Arguments that name the chart. */
function chartArguments(inputs: Fields): string[] {
  const repo = textAt(inputs, "repositoryOpts", "repo");
  const version = textAt(inputs, "version");
  return [
    textAt(inputs, "chart") ?? "",
    ...(repo === undefined ? [] : ["--repo", repo]),
    ...(version === undefined ? [] : ["--version", version]),
    ...(asksFor(inputs, "devel") ? ["--devel"] : []),
    ...(asksFor(inputs, "dependencyUpdate") ? ["--dependency-update"] : []),
    ...(asksFor(inputs, "disableOpenapiValidation") ? ["--disable-openapi-validation"] : []),
    ...(asksFor(inputs, "skipCrds") ? ["--skip-crds"] : []),
    ...(asksFor(inputs, "disableWebhooks") ? ["--no-hooks"] : []),
  ];
}

const valuesArguments = (files: readonly string[]) => files.flatMap((file) => ["--values", file]);

/** What a Release's creation and its update are to helm, as in the official provider (helm_release.go). */
export type HelmOperation = "install" | "upgrade";

/**
 * `helm install` or `helm upgrade` for a release.
 *
 * @param valueFiles files with the values, later ones win; values are never arguments, which any user could read
 * @param timeout the resource's `customTimeouts`, in seconds; 0 for none
 */
export function releaseArguments(
  operation: HelmOperation,
  inputs: Fields,
  valueFiles: readonly string[],
  timeout: number,
): string[] {
  const own = at(inputs, "timeout");
  const seconds = typeof own === "number" && own > 0 ? own : timeout || READY_WITHIN;
  const history = at(inputs, "maxHistory");
  const description = textAt(inputs, "description");
  const wait = !asksFor(inputs, "skipAwait");
  const only = (which: HelmOperation, ...args: readonly string[]) =>
    operation === which ? args : [];
  return [
    operation,
    textAt(inputs, "name") ?? "",
    ...chartArguments(inputs),
    ...valuesArguments(valueFiles),
    "--timeout",
    `${seconds}s`,
    // As the official provider applies a release: by the client, so that its objects have no foreign field manager.
    "--server-side=false",
    ...(asksFor(inputs, "createNamespace") ? only("install", "--create-namespace") : []),
    ...(asksFor(inputs, "atomic") ? ["--rollback-on-failure"] : []),
    ...(asksFor(inputs, "cleanupOnFail") ? only("upgrade", "--cleanup-on-fail") : []),
    ...(asksFor(inputs, "takeOwnership") ? ["--take-ownership"] : []),
    ...(asksFor(inputs, "renderSubchartNotes") ? ["--render-subchart-notes"] : []),
    // Helm 3's rules of readiness, which the official provider uses; they include a load balancer's address.
    ...(wait ? ["--wait=legacy"] : []),
    ...(wait && asksFor(inputs, "waitForJobs") ? ["--wait-for-jobs"] : []),
    // Without it helm's program keeps ten; the official provider sets its own limit, or none.
    ...only("upgrade", "--history-max", String(typeof history === "number" ? history : 0)),
    ...(description === undefined ? [] : ["--description", description]),
    "--output",
    "json",
    "--hide-notes",
  ];
}

/** `helm template` for a release: renders the chart with the values and checks them, without a cluster. */
export function templateArguments(inputs: Fields, valueFiles: readonly string[]): string[] {
  return [
    "template",
    textAt(inputs, "name") ?? "",
    ...chartArguments(inputs),
    ...valuesArguments(valueFiles),
  ];
}

/** Paths of the value files that are given as assets, and the values given as such, in the order of precedence. */
export function valueSources(inputs: Fields): {
  readonly files: readonly ({ readonly path: string } | { readonly text: string })[];
  readonly values: Fields;
} {
  const files = listAt(inputs, "valueYamlFiles").map((asset) => {
    const path = textAt(asset, "path");
    const text = textAt(asset, "text");
    if (isAsset(asset) && path) return { path };
    if (isAsset(asset) && text !== undefined) return { text };
    throw new Error("valueYamlFiles: only files and texts are supported, no remote assets");
  });
  const given = at(inputs, "values");
  const values = isFields(given) ? given : {};
  return { files, values };
}

/** A release as `helm get metadata --output json` describes it. */
export function statusOf(metadata: Fields): Fields {
  return {
    name: metadata["name"],
    namespace: metadata["namespace"],
    revision: metadata["revision"],
    status: metadata["status"],
    chart: metadata["chart"],
    version: metadata["version"],
    appVersion: metadata["appVersion"],
  };
}
