import { loadConfig } from "./stacks/config.ts";
import { installMesh } from "./stacks/mesh.ts";
import { releaseServices } from "./stacks/release.ts";

const settings = loadConfig();
const mesh = installMesh(settings);
const traffic = releaseServices(settings, mesh.clusters);

/** Percent of requests for the canary, in every cluster. */
export const weight = settings.weight;

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
