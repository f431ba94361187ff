import { writeFile } from "node:fs/promises";
import path from "node:path";
import { dump, load } from "js-yaml";
import { labPaths, labStack } from "./environment.ts";
import { readIfThere } from "./files.ts";
import { chain } from "./mesh/chain.ts";
import { userService } from "./mesh/user-service.ts";
import { rolloutConfig, serviceConfig, smallRequests } from "./service-config.ts";
import type { LabSettings } from "./settings.ts";
import { MONITORING_IMAGES } from "./toolchain/images.ts";
import { ISTIO_VERSION } from "./toolchain/versions.ts";

const header = `# The stack "${labStack}": the same program as in production, on the lab's two clusters. Written by
# make lab-up when it is missing; edit it as you would edit Pulumi.prod.yaml, it is not overwritten.
`;

const small = { requests: smallRequests };

/** Config of the stack that the lab runs; what differs from production is said beside it. */
function labConfig(settings: LabSettings, charts: string): Record<string, unknown> {
  const config = {
    kubeconfig: labPaths(settings).kubeconfig,
    mesh: {
      id: "lab-mesh",
      env: "lab",
      istioVersion: ISTIO_VERSION,
      charts: { directory: charts },
      hub: "docker.io/istio",
      values: {
        base: {},
        istiod: {
          // One node cannot lose a part of them, and each takes its part of two cores.
          autoscaleEnabled: false,
          replicaCount: 1,
          resources: { requests: { cpu: "10m", memory: "100Mi" } },
          // Envoy comes from its own project: it lacks the filters that Istio's build adds.
          env: {
            PILOT_ENABLE_ALPN_FILTER: "false",
            PILOT_ENABLE_METADATA_EXCHANGE: "false",
          },
          telemetry: { enabled: false },
          global: { imagePullPolicy: "IfNotPresent", proxy: { resources: small } },
          // There is no cloud here whose metadata a proxy could ask for.
          meshConfig: { defaultConfig: { proxyMetadata: { CLOUD_PLATFORM: "none" } } },
        },
        gateway: { imagePullPolicy: "IfNotPresent", resources: small },
      },
    },
    clusters: settings.clusters.map(({ name, network }) => ({ name, network, context: name })),
    // The second one is for the stack of the chain.
    ingress: { hosts: [userService.ingressHost, chain.ingressHost] },
    services: [serviceConfig(userService, 5)],
    phases: [10, 30, 100],
    weight: 0,
    rollout: rolloutConfig,
    monitoring: {
      mode: "prometheus",
      scrapeInterval: "5s",
      window: "30s",
      alerts: { CanaryErrorRate: { for: "10s" } },
      prometheus: {
        image: MONITORING_IMAGES.prometheus,
        requests: small.requests,
        limits: { memory: "512Mi" },
        retention: "1d",
      },
      alertmanager: { image: MONITORING_IMAGES.alertmanager, requests: small.requests },
      kubeStateMetrics: { image: MONITORING_IMAGES.kubeStateMetrics, requests: small.requests },
    },
  };
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [`istio-canary:${key}`, value]),
  );
}

/**
 * Writes the lab's stack config if there is none. In one that is there, only the paths of kubeconfig
 * and charts are set: they change with the checkout's place and the toolchain's version.
 *
 * @param newPassphrase whether secrets in the file were encrypted with a passphrase that is lost
 */
export async function ensureStackConfig(
  settings: LabSettings,
  charts: string,
  { newPassphrase }: { readonly newPassphrase: boolean },
): Promise<void> {
  const file = path.join(settings.root, `Pulumi.${labStack}.yaml`);
  const text = await readIfThere(file);
  if (text === undefined) {
    const config = { config: labConfig(settings, charts) };
    await writeFile(file, header + dump(config, { lineWidth: 100, noRefs: true }));
    return;
  }
  const updated = withPaths(text, labPaths(settings).kubeconfig, charts);
  const current = newPassphrase ? updated.replace(/^encryptionsalt:.*\n/m, "") : updated;
  if (current !== text) await writeFile(file, current);
}

/** Sets the two paths and leaves all else, comments too, as it is. */
function withPaths(text: string, kubeconfig: string, charts: string): string {
  const { config = {} } = (load(text) ?? {}) as { config?: Record<string, unknown> };
  const mesh = config["istio-canary:mesh"] as { charts?: { directory?: string } } | undefined;
  const old = [config["istio-canary:kubeconfig"], mesh?.charts?.directory];
  return [kubeconfig, charts].reduce((changed, path, index) => {
    const before = old[index];
    return typeof before === "string" ? changed.replaceAll(before, path) : changed;
  }, text);
}
