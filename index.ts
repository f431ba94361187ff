import { loadConfig } from "./stacks/config.ts";
import { installMesh } from "./stacks/mesh.ts";
import { releaseServices } from "./stacks/release.ts";
import { WeightChange } from "./stacks/weight-change.ts";

const settings = loadConfig();
const change = await WeightChange.prepare(settings);
const mesh = installMesh(settings);
const traffic = releaseServices(settings, mesh.clusters, change);

/** Percent of requests for the canary, in every cluster that is not in quarantine. */
export const weight = change.complete().apply(() => settings.weight);

/** When the root certificate of the mesh ends. */
export const rootCaExpires = mesh.rootExpires;

/** What there is in each cluster. */
export const clusters = Object.fromEntries(
  mesh.clusters.map(({ name, network, istioVersion, caExpires, eastWestAddresses, ingress }) => [
    name,
    {
      network,
      istioVersion,
      caExpires,
      gateways: { eastWest: eastWestAddresses, ingress: ingress?.addresses ?? [] },
      traffic: traffic[name] ?? {},
    },
  ]),
);
