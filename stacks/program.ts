import * as pulumi from "@pulumi/pulumi";
import { AwayClusters } from "./away-clusters.ts";
import { loadConfig } from "./config.ts";
import { CountHandOver } from "./count-hand-over.ts";
import { DrainedClusters } from "./drained-clusters.ts";
import { InterruptedReleases } from "./interrupted-releases.ts";
import { keepOutputs } from "./kept-outputs.ts";
import { keptFor } from "./kept-versions.ts";
import { LastUpdate } from "./last-update.ts";
import { LoweredSince } from "./lowered-since.ts";
import { MeshReads } from "./mesh-reads.ts";
import { joinMesh } from "./mesh-stack.ts";
import { installMesh } from "./mesh.ts";
import { installMonitoring } from "./monitoring.ts";
import { presentClusters } from "./present-clusters.ts";
import { releasedVersions } from "./released-versions.ts";
import { releaseServices } from "./release.ts";
import { onResourceChange } from "./on-resource-change.ts";
import { joinHooks, RoutingRecords } from "./routing-records.ts";
import { Upgrade } from "./upgrade.ts";
import { WeightChange } from "./weight-change.ts";

keepOutputs();
const last = new LastUpdate();
const loaded = await loadConfig(last);
const away = await AwayClusters.find(loaded, last);
const configured = { ...loaded, kept: keptFor(loaded.services, away.traffic) };
const drained = "meshStack" in loaded ? DrainedClusters.NONE : new DrainedClusters(loaded);
const change = await WeightChange.prepare(configured, drained);
const settings = {
  ...configured,
  ...{ weight: change.plan.weight, kept: change.plan.kept, closed: drained.closed(change.plan) },
};
// What is checked while Pulumi registers resources counts only as long as it changes none of them.
if (change.checksAhead) onResourceChange(change.outdateChecks);
// What has fallen has fallen by now, however the command is run.
await away.mustBeLeftOut(settings);
await drained.takeOut();
const upgrade = await Upgrade.find(settings, change.plan);

const interrupted =
  "meshStack" in settings
    ? undefined
    : await InterruptedReleases.find(presentClusters(settings), settings.mesh);
await interrupted?.warn();
// A preview waits for nothing: a stack that has no outputs yet would show unknown ones.
const reads =
  "meshStack" in settings || pulumi.runtime.isDryRun()
    ? undefined
    : new MeshReads(settings, change.plan);
const { clusters: members, ...about } =
  "meshStack" in settings
    ? joinMesh(settings)
    : installMesh(settings, (cluster) => [
        ...(interrupted ? [interrupted.before(cluster)] : []),
        ...(reads ? [reads.watch] : []),
      ]);
const lowered = new LoweredSince(settings);
const records = new RoutingRecords(settings);
const counts = new CountHandOver(settings);
const { traffic, registrations, rulesSettled } = releaseServices(settings, members, change.plan, {
  hooks: (route) =>
    joinHooks(
      change.hooks(route),
      lowered.hooks(route),
      records.hooks(route.cluster, route.service),
    ),
  workloadHooks: (cluster, service, version) => counts.hooks(cluster, service, version),
  remade: (cluster, object) => change.remade(cluster, object),
  stays: (cluster, namespace) => change.shared.stays(cluster, namespace),
  absent: away.gateways,
  moves: (namespace) => upgrade.moves(namespace),
});
const upgraded = upgrade.complete([
  ...members.flatMap(({ moved = [] }) => moved),
  ...registrations.map(({ weights }) => weights),
]);
if (!("meshStack" in settings)) {
  // No weight waits for monitoring: its resources queue behind the VirtualServices.
  await rulesSettled;
  installMonitoring(settings, members);
}

/**
 * Percent of requests for the canary, in every cluster that is not in quarantine. It is less than what is configured
 * while a canary that was taken back stays as it is, and 0 after a route was made somewhere, until the next update.
 */
export const weight = pulumi
  .all([
    change.complete(registrations, () => lowered.hasFailed),
    interrupted?.warnOfRest(),
    upgraded,
  ])
  .apply(() => (change.plan.made.length > 0 ? 0 : settings.weight));

const marked = drained.mark(change.plan, about.remoteSecrets, weight);

/** The versions that are served, for stacks that require them. */
export const versions = weight.apply((percent) => releasedVersions(settings, percent));

/** When the root certificate of the mesh ends. */
export const rootCaExpires = about.rootExpires;

/** What stacks need whose services run in this one's mesh, or the stack whose mesh this one uses. */
export const mesh = reads?.before(about.output, weight, about.connected, marked) ?? about.output;

/** What there is in each cluster; of one that is away, what the last complete update has said. */
export const clusters = Object.fromEntries(
  settings.clusters.map(({ name, eastWestPort }) => {
    const member = members.find((each) => each.name === name);
    return [
      name,
      member
        ? {
            network: member.network,
            istioVersion: member.istioVersion,
            caExpires: member.caExpires,
            gateways: {
              eastWest: member.eastWestAddresses,
              ...(eastWestPort !== undefined && { eastWestPort }),
              ingress: member.ingressAddresses ?? [],
            },
            traffic: traffic[name] ?? {},
          }
        : away.known(name),
    ];
  }),
);
