import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { load } from "js-yaml";
import { afterEach, beforeEach, expect, test } from "vitest";
import { standardMetrics } from "../../mesh/standard-metrics.ts";
import { artifact } from "../../toolchain/artifact.ts";
import { charts, chartsStep } from "../../toolchain/charts.ts";
import { run } from "../../toolchain/run.ts";
import { ISTIO_HUB, ISTIO_VERSION, PREVIOUS_ISTIO_VERSION } from "../../toolchain/versions.ts";

const FOLDERS = ["base", "gateway", "istio-control/istio-discovery", "istio-cni"];
/** A part of the chart may have images of its own. */
const VALUES =
  '_internal:\n  repair:\n    hub: ""\n    tag: ""\n  global:\n    hub: gcr.io/istio-testing\n    tag: latest\n';

let cacheDir: string;
beforeEach(async () => {
  cacheDir = mkdtempSync(join(tmpdir(), "charts-test-"));
  for (const folder of FOLDERS) {
    const chart = join(cacheDir, "istio", "manifests", "charts", folder);
    await mkdir(join(chart, "templates"), { recursive: true });
    await writeFile(join(chart, "values.yaml"), VALUES);
  }
});
afterEach(() => {
  rmSync(cacheDir, { recursive: true });
});

async function program(file: string, script: string): Promise<void> {
  await mkdir(join(file, ".."), { recursive: true });
  await writeFile(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

/** The folder that a chart was packaged from, by the chart's name and version. */
async function packaged(
  versions: readonly string[] = [ISTIO_VERSION],
): Promise<(name: string, version?: string) => string> {
  const istio = {
    ...{ name: "istio", packages: [], programs: {} },
    built: artifact(cacheDir, "istio", 1),
  };
  // The one says where Istio's source is, the other keeps a chart's folder beside where its archive would be.
  await program(join(cacheDir, "go", "bin", "go"), `echo '${join(cacheDir, "istio")}'`);
  await program(join(istio.built.directory, "helm"), 'cp -r "$2" "$4/$(basename "$2")-$6"');
  const releases = versions.map((version) => ({ version, module: istio }));
  const wanted = charts(cacheDir, releases);
  await chartsStep(wanted, cacheDir, releases, istio, []).work({
    progress: () => undefined,
    run: (command, args) => run(command, args, { log: join(cacheDir, "log") }),
  });
  return (name, version = ISTIO_VERSION) => join(wanted.directory, `${name}-${version}`);
}

test("the gateway chart has the standard metrics as one object of the east-west gateway, and the others have none", async () => {
  const chart = await packaged();
  const templates = (name: string) => readdir(join(chart(name), "templates"));
  expect(await templates("base")).toEqual([]);
  expect(await templates("istiod")).toEqual([]);
  expect(await templates("gateway")).toEqual(["lab-standard-metrics.yaml"]);
  const text = await readFile(
    join(chart("gateway"), "templates", "lab-standard-metrics.yaml"),
    "utf8",
  );
  const [condition, ...object] = text.trim().split("\n");
  expect(condition).toBe('{{- if eq .Release.Name "istio-eastwestgateway" }}');
  expect(object.pop()).toBe("{{- end }}");
  expect(load(object.join("\n"))).toEqual(standardMetrics);
  expect(standardMetrics.kind).toBe("EnvoyFilter");
  // Helm would take it for a template.
  expect(object.join("\n")).not.toContain("{{");
});

test.each(["istiod", "cni"])(
  "the chart %s of each release names the release's images",
  async (name) => {
    const versions = [PREVIOUS_ISTIO_VERSION, ISTIO_VERSION];
    const chart = await packaged(versions);
    for (const tag of versions) {
      const values = await readFile(join(chart(name, tag), "values.yaml"), "utf8");
      expect(load(values)).toEqual({
        _internal: { repair: { hub: "", tag: "" }, global: { hub: ISTIO_HUB, tag } },
      });
    }
  },
);
