import { loadConfig } from "./config.ts";
import { keepOutputs } from "./kept-outputs.ts";
import { joinMesh } from "./mesh-stack.ts";
import { installMesh } from "./mesh.ts";
import { installMonitoring } from "./monitoring.ts";
import { releaseServices } from "./release.ts";
import { RoutingRecords } from "./routing-records.ts";
import { WeightChange } from "./weight-change.ts";

keepOutputs();
const settings = await loadConfig();
const change = await WeightChange.prepare(settings);

const { clusters: members, ...about } =
  "meshStack" in settings ? joinMesh(settings) : installMesh(settings);
if (!("meshStack" in settings)) installMonitoring(settings, members);
const traffic = releaseServices(settings, members, change, new RoutingRecords(settings));

/** Percent of requests for the canary, in every cluster that is not in quarantine. */
export const weight = change.complete().apply(() => settings.weight);

/** When the root certificate of the mesh ends. */
export const rootCaExpires = about.rootExpires;

/** What stacks need whose services run in this one's mesh, or the stack whose mesh this one uses. */
export const mesh = about.output;

/** What there is in each cluster. */
export const clusters = Object.fromEntries(
  members.map(({ name, network, istioVersion, caExpires, eastWestAddresses, ingress }) => [
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
