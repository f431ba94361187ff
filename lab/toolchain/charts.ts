import { chmod, cp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { dump } from "js-yaml";
import { EAST_WEST_GATEWAY } from "../../lib/names.ts";
import { standardMetrics } from "../mesh/standard-metrics.ts";
import { artifact, build, isBuilt, type Artifact } from "./artifact.ts";
import { dependencyDirectory, type GoBuild } from "./go.ts";
import { ISTIO_HUB } from "./versions.ts";
import type { Step } from "./steps.ts";

/** Istio's charts: folder below manifests/charts of Istio's module, by the chart's name. */
const CHARTS = {
  base: "base",
  istiod: "istio-control/istio-discovery",
  gateway: "gateway",
  cni: "istio-cni",
};

/** Charts whose values name images. */
const STAMPED: readonly string[] = ["istiod", "cni"];

/** The object that is added: not to istiod's chart, since istiod's webhook has to admit it. */
const METRICS = { chart: "gateway", release: EAST_WEST_GATEWAY, object: standardMetrics };

/** Istio of one version: the module with its source, and programs. */
export interface IstioRelease {
  readonly version: string;
  readonly module: GoBuild;
}

/**
 * Istio's charts as its release process packages them, NAME-VERSION.tgz each, plus one object, which comes with the
 * east-west gateway of each cluster: the EnvoyFilter by which Envoy's own release counts what Istio's build does.
 *
 * @param releases those whose charts are in the folder
 */
export function charts(cacheDir: string, releases: readonly IstioRelease[]): Artifact {
  const made = releases.map(({ version, module }) => [module.built.key, version]);
  return artifact(cacheDir, "charts", [made, CHARTS, ISTIO_HUB, METRICS]);
}

/** @param helm the module whose helm packages them */
export function chartsStep(
  packaged: Artifact,
  cacheDir: string,
  releases: readonly IstioRelease[],
  helm: GoBuild,
  after: readonly Step[],
): Step {
  return {
    name: `istio charts ${releases.map(({ version }) => version).join(" ")}`,
    after,
    isDone: () => isBuilt(packaged),
    work: ({ run }) =>
      build(packaged, async (directory) => {
        for (const { version, module } of releases) {
          const source = dependencyDirectory(cacheDir, module.name, "istio.io/istio");
          for (const [name, folder] of Object.entries(CHARTS)) {
            const chart = join(directory, name);
            await cp(join(source, "manifests", "charts", folder), chart, { recursive: true });
            await makeWritable(chart);
            if (STAMPED.includes(name)) {
              await stampImages(join(chart, "values.yaml"), version);
            }
            if (name === METRICS.chart) {
              await addObject(join(chart, "templates", "lab-standard-metrics.yaml"), METRICS);
            }
            await run(join(helm.built.directory, "helm"), [
              ...["package", chart, "--destination", directory],
              ...["--version", version, "--app-version", version],
            ]);
            await rm(chart, { recursive: true });
          }
        }
      }),
  };
}

/** Files of a Go module are read-only. */
async function makeWritable(directory: string): Promise<void> {
  await chmod(directory, 0o755);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await makeWritable(path);
    else await chmod(path, 0o644);
  }
}

/** A release names its own images where the source tree names the newest development build. */
async function stampImages(values: string, version: string): Promise<void> {
  let text = await readFile(values, "utf8");
  for (const [setting, value] of [
    ["hub", ISTIO_HUB],
    ["tag", version],
  ]) {
    const line = new RegExp(`^( {2}global:$[^]*?^ {4}${setting}: )\\S+$`, "m");
    if (!line.test(text)) throw new Error(`${values} has no global ${setting}`);
    text = text.replace(line, `$1${value}`);
  }
  await writeFile(values, text);
}

/**
 * Adds an object to one release of a chart.
 *
 * @throws if Helm would take a part of it for a template
 */
async function addObject(file: string, { object, release }: typeof METRICS): Promise<void> {
  const text = dump(object, { lineWidth: -1, noRefs: true });
  if (text.includes("{{")) throw new Error(`${file} would be a template, not an object`);
  await writeFile(file, `{{- if eq .Release.Name "${release}" }}\n${text}{{- end }}\n`);
}
