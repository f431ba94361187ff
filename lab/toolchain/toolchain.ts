import { symlink } from "node:fs/promises";
import { join, relative } from "node:path";
import type { ListrTask } from "listr2";
import type { LabSettings } from "../settings.ts";
import { artifact, build, isBuilt, type Artifact } from "./artifact.ts";
import { baseImage, baseImageStep } from "./base-image.ts";
import { charts, chartsStep, type IstioRelease } from "./charts.ts";
import { envoy, envoyStep } from "./envoy.ts";
import { buildStep, dependencyVersion, downloadStep, goBuild, type GoBuild } from "./go.ts";
import { GUARD_IMAGE, guardArchive, guardImage, guardImageStep } from "./guard-image.ts";
import { archiveFile, imageArchive, imageRefs, imagesStep } from "./images.ts";
import { debianPackages, missingPackages } from "./packages.ts";
import { asTasks, type Step } from "./steps.ts";
import { ISTIO_VERSION } from "./versions.ts";

/** Everything that the lab runs, built and in the cache. */
export interface Toolchain {
  /** Folder with every program under its usual name: etcd, kube-apiserver, kubectl, pulumi, helm, istioctl … */
  readonly bin: string;
  /** Folder with Istio's packaged charts: base-1.31.0.tgz, istiod-1.31.0.tgz, gateway-1.31.0.tgz, cni-1.31.0.tgz. */
  readonly charts: string;
  /** docker-archives to import into each cluster, and the full names of the images in each. */
  readonly images: readonly { readonly refs: readonly string[]; readonly archive: string }[];
}

/**
 * Tasks that install or build what is missing; to be run concurrently.
 *
 * @param more further steps, to be run with them
 */
export function toolchainSteps(settings: LabSettings, more: readonly Step[] = []): ListrTask[] {
  const { cacheDir } = settings;
  const { pulumi, kubernetes, istio, monitoring, bin, releases, istioCharts, images, ingredients } =
    toolchainParts(cacheDir);
  const fetchKubernetes = downloadStep(cacheDir, kubernetes, []);
  const fetchIstio = downloadStep(cacheDir, istio, [fetchKubernetes]);
  const fetchMonitoring = downloadStep(cacheDir, monitoring, [fetchIstio]);
  const fetchPulumi = downloadStep(cacheDir, pulumi, [fetchMonitoring]);
  // Compiling keeps all cores busy, so builds follow one another, and the network works alongside.
  // First echo: it is made of Go's own library, which all others need and nobody has to download.
  const buildEcho = buildStep(cacheDir, ingredients.echo, []);
  const buildKubernetes = buildStep(cacheDir, kubernetes, [fetchKubernetes, buildEcho]);
  const buildIstio = buildStep(cacheDir, istio, [fetchIstio, buildKubernetes]);
  const buildMonitoring = buildStep(cacheDir, monitoring, [fetchMonitoring, buildIstio]);
  // Last Pulumi, which is in no image: these are packed meanwhile.
  const buildPulumi = buildStep(cacheDir, pulumi, [fetchPulumi, buildMonitoring]);
  const makeBase = baseImageStep(ingredients.base);
  const fetchEnvoy = envoyStep(ingredients.envoy);
  const steps: Step[] = [
    debianPackages,
    makeBase,
    fetchEnvoy,
    fetchKubernetes,
    fetchIstio,
    fetchMonitoring,
    fetchPulumi,
    buildEcho,
    buildKubernetes,
    buildIstio,
    buildMonitoring,
    buildPulumi,
    chartsStep(istioCharts, cacheDir, releases, istio, [buildIstio]),
    imagesStep(images, cacheDir, ingredients, [
      ...[makeBase, fetchEnvoy],
      ...[buildIstio, buildMonitoring, buildEcho],
    ]),
    guardImageStep(guardImage(settings, ingredients.base), [makeBase]),
    linkStep(
      bin,
      [pulumi, kubernetes, istio, monitoring],
      [buildPulumi, buildKubernetes, buildIstio, buildMonitoring],
    ),
    ...more,
  ];
  return asTasks(steps, join(cacheDir, "logs"));
}

/** What toolchainSteps() has made. Throws, with the names of what is missing, when it has not. */
export function toolchain(settings: LabSettings): Toolchain {
  const { bin, istioCharts, images, ingredients } = toolchainParts(settings.cacheDir);
  const guard = guardImage(settings, ingredients.base);
  const unbuilt = [bin, istioCharts, images, guard.archive].filter((made) => !isBuilt(made));
  const missing = [...missingPackages(), ...unbuilt.map(({ name }) => name)];
  if (missing.length > 0) {
    throw new Error(`the lab's toolchain lacks ${missing.join(", ")}: run make lab-up to build it`);
  }
  return {
    bin: bin.directory,
    charts: istioCharts.directory,
    images: [
      { refs: imageRefs(ingredients), archive: archiveFile(images) },
      { refs: [GUARD_IMAGE], archive: guardArchive(guard) },
    ],
  };
}

/** What the toolchain is made of, built or not. */
export function toolchainParts(cacheDir: string) {
  const pulumi = goBuild(cacheDir, {
    name: "pulumi",
    packages: ["tool"],
    programs: { pulumi: "pulumi" },
    variables: {
      "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": dependencyVersion(
        "pulumi",
        "github.com/pulumi/pulumi/pkg/v3",
      ),
    },
  });
  const kubernetes = goBuild(cacheDir, {
    name: "kubernetes",
    packages: ["."],
    programs: {
      etcd: "kubernetes",
      "kube-apiserver": "kubernetes",
      "kube-controller-manager": "kubernetes",
      "kube-proxy": "kubernetes",
      "kube-scheduler": "kubernetes",
      kubectl: "kubernetes",
      kubelet: "kubernetes",
    },
    variables: {
      "k8s.io/component-base/version.gitVersion": `v${dependencyVersion("kubernetes", "k8s.io/kubernetes")}`,
    },
  });
  const istio = goBuild(cacheDir, {
    name: "istio",
    packages: ["tool", "./coredns", "./pause"],
    programs: {
      coredns: "coredns",
      helm: "helm",
      "install-cni": "install-cni",
      "istio-cni": "istio-cni",
      istioctl: "istioctl",
      pause: "pause",
      "pilot-agent": "pilot-agent",
      "pilot-discovery": "pilot-discovery",
    },
    variables: {
      "istio.io/istio/pkg/version.buildVersion": ISTIO_VERSION,
      "helm.sh/helm/v4/internal/version.version": `v${dependencyVersion("istio", "helm.sh/helm/v4")}`,
    },
  });
  const monitoring = goBuild(cacheDir, {
    name: "monitoring",
    packages: ["tool", "./kube-state-metrics"],
    programs: {
      alertmanager: "alertmanager",
      "kube-state-metrics": "kube-state-metrics",
      prometheus: "prometheus",
      promtool: "promtool",
    },
    // Without the APIs of all clouds.
    tags: ["remove_all_sd", "enable_kubernetes_sd"],
  });
  const echo = goBuild(cacheDir, { name: "echo", packages: ["."], programs: { echo: "echo" } });
  const ingredients = {
    base: baseImage(cacheDir),
    envoy: envoy(cacheDir),
    istio,
    monitoring,
    echo,
  };
  const releases: readonly IstioRelease[] = [{ version: ISTIO_VERSION, module: istio }];
  return {
    pulumi,
    kubernetes,
    istio,
    monitoring,
    ingredients,
    releases,
    // Without echo, which would hide the program that every machine has under this name.
    bin: artifact(
      cacheDir,
      "bin",
      [pulumi, kubernetes, istio, monitoring].map(({ built }) => built.key),
    ),
    istioCharts: charts(cacheDir, releases),
    images: imageArchive(cacheDir, ingredients),
  };
}

/** One folder with links to the programs of all builds. */
function linkStep(bin: Artifact, builds: readonly GoBuild[], after: readonly Step[]): Step {
  return {
    name: "program links",
    after,
    isDone: () => isBuilt(bin),
    work: () =>
      build(bin, async (directory) => {
        for (const { programs, built } of builds) {
          for (const [name, binary] of Object.entries(programs)) {
            const target = relative(bin.directory, join(built.directory, binary));
            await symlink(target, join(directory, name));
          }
        }
      }),
  };
}
