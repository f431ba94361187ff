import { join } from "node:path";
import type { ListrTask } from "listr2";
import type { LabSettings } from "../settings.ts";
import { charts, chartsStep, type IstioRelease } from "./charts.ts";
import { buildStep, downloadStep, goBuild } from "./go.ts";
import { archiveFile, istioArchive, istioImagesStep, istioRefs } from "./images.ts";
import { asTasks } from "./steps.ts";
import { toolchainParts } from "./toolchain.ts";
import { PREVIOUS_ISTIO_VERSION } from "./versions.ts";

/** The minor version of Istio before the lab's own, as the upgrade from one to the other needs it. */
interface PreviousIstio {
  /** Folder with the packaged charts of both versions. */
  readonly charts: string;
  /** docker-archive with its images, and their full names. */
  readonly images: { readonly refs: readonly string[]; readonly archive: string };
  /** Tasks that build what is missing, to be run concurrently once the toolchain is built. */
  readonly tasks: () => ListrTask[];
}

/**
 * It is no part of the toolchain: whoever needs it builds it. Its programs are its own, its proxies have the lab's Envoy: the
 * one of its time knows not all that the lab's standard metrics ask for.
 */
export function previousIstio({ cacheDir }: LabSettings): PreviousIstio {
  const { istio, releases, ingredients } = toolchainParts(cacheDir);
  const module = goBuild(cacheDir, {
    name: "istio-previous",
    packages: ["tool"],
    programs: { "pilot-agent": "pilot-agent", "pilot-discovery": "pilot-discovery" },
    variables: { "istio.io/istio/pkg/version.buildVersion": PREVIOUS_ISTIO_VERSION },
  });
  const release: IstioRelease = { version: PREVIOUS_ISTIO_VERSION, module };
  const both = [release, ...releases];
  const packaged = charts(cacheDir, both);
  const made = { base: ingredients.base, envoy: ingredients.envoy, release };
  const images = istioArchive(cacheDir, made);
  return {
    charts: packaged.directory,
    images: { refs: istioRefs(made), archive: archiveFile(images) },
    tasks: () => {
      const fetch = downloadStep(cacheDir, module, []);
      const compile = buildStep(cacheDir, module, [fetch]);
      return asTasks(
        [
          ...[fetch, compile],
          chartsStep(packaged, cacheDir, both, istio, [compile]),
          istioImagesStep(images, cacheDir, made, [compile]),
        ],
        join(cacheDir, "logs"),
      );
    },
  };
}
