import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { artifact, build, isBuilt, type Artifact } from "./artifact.ts";
import { baseLayer } from "./base-image.ts";
import type { IstioRelease } from "./charts.ts";
import { dependencyDirectory, type GoBuild } from "./go.ts";
import { writeArchive, type Image, type Layer, type LayerFile } from "./image.ts";
import type { Step } from "./steps.ts";
import { ISTIO_HUB, ISTIO_VERSION } from "./versions.ts";

/** The artifacts that the images are made of. */
export interface Ingredients {
  readonly base: Artifact;
  readonly envoy: Artifact;
  readonly istio: GoBuild;
  readonly monitoring: GoBuild;
  readonly echo: GoBuild;
}

/** User that Istio's images run as, and whose traffic the sidecar does not catch. */
const ISTIO_USER = "1337:1337";

/** User that programs of the lab run as. */
export const LAB_USER = "65532:65532";

/** The images of the stack's monitoring. */
export const MONITORING_IMAGES = {
  prometheus: "docker.io/lab/prometheus:3",
  alertmanager: "docker.io/lab/alertmanager:0.31",
  kubeStateMetrics: "docker.io/lab/kube-state-metrics:2",
};

/**
 * Faulty versions of the user-service, by tag. Those that a metric shows are so in one cluster only, where a mean
 * over all would hide it.
 */
const FAULTY_VERSIONS: Readonly<Record<string, readonly string[]>> = {
  "v2-failing": ["--faults-in=cluster-b", "--fail-percent=5"],
  "v2-broken": ["--faults-in=cluster-b", "--fail-percent=40"],
  "v2-slow": ["--faults-in=cluster-b", "--slow-percent=20", "--slow-by=700ms"],
  "v2-dropping": ["--drop-mark"],
};

/** A program of a module, as a file of an image. */
function program(name: string, { built }: GoBuild): LayerFile {
  return { source: join(built.directory, name), path: `usr/local/bin/${name}` };
}

/**
 * The images that Istio's charts of a version name.
 *
 * @param source root folder of Istio's source
 */
function istioImages(
  { version, module }: IstioRelease,
  root: Layer,
  envoy: Artifact,
  source: string,
): Image[] {
  return [
    {
      refs: [`${ISTIO_HUB}/pilot:${version}`],
      layers: [root, { files: [program("pilot-discovery", module)] }],
      entrypoint: ["/usr/local/bin/pilot-discovery"],
      user: ISTIO_USER,
    },
    {
      refs: [`${ISTIO_HUB}/proxyv2:${version}`],
      layers: [
        root,
        {
          files: [
            program("pilot-agent", module),
            { source: join(envoy.directory, "envoy"), path: "usr/local/bin/envoy" },
            {
              source: join(source, "tools/packaging/common/envoy_bootstrap.json"),
              path: "var/lib/istio/envoy/envoy_bootstrap_tmpl.json",
              mode: 0o644,
            },
          ],
        },
      ],
      entrypoint: ["/usr/local/bin/pilot-agent"],
    },
  ];
}

/** Every image of the lab, given the root folder of the artifacts and Istio's source. */
function labImages(
  { base, envoy, istio, monitoring, echo }: Ingredients,
  istioSource: string,
): Image[] {
  const root = baseLayer(base);
  const single = (name: string, build = istio): Layer => ({ files: [program(name, build)] });
  const alone = (ref: string, name: string): Image => ({
    refs: [ref],
    layers: [single(name, monitoring)],
    entrypoint: [`/usr/local/bin/${name}`],
    user: LAB_USER,
  });
  const echoServer = single("echo", echo);
  const userService = (tags: readonly string[], faults: readonly string[] = []): Image => ({
    refs: tags.map((tag) => `docker.io/lab/user-service:${tag}`),
    layers: [echoServer],
    entrypoint: ["/usr/local/bin/echo", ...faults],
    user: LAB_USER,
  });
  return [
    {
      refs: ["registry.k8s.io/pause:3.10"],
      layers: [single("pause")],
      entrypoint: ["/usr/local/bin/pause"],
      user: LAB_USER,
    },
    {
      refs: ["docker.io/lab/coredns:1"],
      layers: [single("coredns")],
      entrypoint: ["/usr/local/bin/coredns"],
    },
    userService(["v1", "v2"]),
    ...Object.entries(FAULTY_VERSIONS).map(([tag, faults]) => userService([tag], faults)),
    {
      refs: ["docker.io/lab/client:1"],
      layers: [root],
      cmd: ["sleep", "infinity"],
      user: LAB_USER,
    },
    ...istioImages({ version: ISTIO_VERSION, module: istio }, root, envoy, istioSource),
    {
      refs: [`${ISTIO_HUB}/install-cni:${ISTIO_VERSION}`],
      layers: [
        root,
        {
          files: [
            program("install-cni", istio),
            { ...program("istio-cni", istio), path: "opt/cni/bin/istio-cni" },
          ],
        },
      ],
      cmd: ["/usr/local/bin/install-cni"],
      workdir: "/opt/cni/bin",
    },
    alone(MONITORING_IMAGES.prometheus, "prometheus"),
    alone(MONITORING_IMAGES.alertmanager, "alertmanager"),
    alone(MONITORING_IMAGES.kubeStateMetrics, "kube-state-metrics"),
  ];
}

/** The images in one docker-archive, so that what they share is in it once. */
export function imageArchive(cacheDir: string, ingredients: Ingredients): Artifact {
  const { base, envoy, istio, monitoring, echo } = ingredients;
  const keys = [base.key, envoy.key, ...[istio, monitoring, echo].map(({ built }) => built.key)];
  return artifact(cacheDir, "images", [keys, labImages(ingredients, "")]);
}

/** Every full name of an image in the archive. */
export function imageRefs(ingredients: Ingredients): string[] {
  return labImages(ingredients, "").flatMap(({ refs }) => refs);
}

export function archiveFile({ directory }: Pick<Artifact, "directory">): string {
  return join(directory, "images.tar");
}

export function imagesStep(
  images: Artifact,
  cacheDir: string,
  ingredients: Ingredients,
  after: readonly Step[],
): Step {
  return archiveStep(
    images,
    () => labImages(ingredients, istioSource(cacheDir, ingredients.istio)),
    after,
  );
}

/** What Istio's images of one version are made of. */
type IstioIngredients = Pick<Ingredients, "base" | "envoy"> & {
  readonly release: IstioRelease;
};

/** Istio's images of one version alone, in a docker-archive. */
export function istioArchive(cacheDir: string, ingredients: IstioIngredients): Artifact {
  const { base, envoy, release } = ingredients;
  const keys = [base.key, envoy.key, release.module.built.key];
  return artifact(cacheDir, "istio-images", [keys, imagesOf(ingredients, "")]);
}

/** Every full name of an image in that archive. */
export function istioRefs(ingredients: IstioIngredients): string[] {
  return imagesOf(ingredients, "").flatMap(({ refs }) => refs);
}

export function istioImagesStep(
  images: Artifact,
  cacheDir: string,
  ingredients: IstioIngredients,
  after: readonly Step[],
): Step {
  const { module } = ingredients.release;
  return archiveStep(images, () => imagesOf(ingredients, istioSource(cacheDir, module)), after);
}

function imagesOf({ base, envoy, release }: IstioIngredients, source: string): Image[] {
  return istioImages(release, baseLayer(base), envoy, source);
}

function istioSource(cacheDir: string, { name }: GoBuild): string {
  return dependencyDirectory(cacheDir, name, "istio.io/istio");
}

function archiveStep(images: Artifact, make: () => Image[], after: readonly Step[]): Step {
  return {
    name: images.name.replace("-", " "),
    after,
    isDone: () => isBuilt(images),
    work: () =>
      build(images, async (directory) => {
        const scratch = join(directory, "layers");
        await mkdir(scratch);
        await writeArchive(archiveFile({ directory }), make(), scratch);
        await rm(scratch, { recursive: true });
      }),
  };
}
