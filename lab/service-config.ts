import { imageHub } from "./mesh/e2e.ts";
import { labVersions, type LabService } from "./mesh/service.ts";

/** Requests for resources that let two whole meshes run on one small machine. */
export const smallRequests = { cpu: "10m", memory: "40Mi" };

/** The image of the echo server with a tag: all services of the lab are the same server. */
export function serverImage(tag: string): string {
  return `${imageHub}/user-service:${tag}`;
}

/** The entry of `services` for a service of the lab. */
export function serviceConfig(
  {
    name,
    namespace,
    ingressHost,
  }: Pick<LabService, "name" | "namespace"> & {
    readonly ingressHost?: string;
  },
  replicas: number,
) {
  const version = (tag: string) => ({ version: tag, image: serverImage(tag), replicas });
  return {
    name,
    namespace,
    port: 8080,
    timeout: "10s",
    stable: version(labVersions.stable),
    canary: version(labVersions.canary),
    args: ["--port=8080", "--version=$(SERVICE_VERSION)", "--cluster=$(CLUSTER_NAME)"],
    resources: { requests: smallRequests },
    matches: [{ header: { "x-canary": "true" } }, { cookie: { canary: "always" } }],
    ingressHosts: ingressHost === undefined ? [] : [ingressHost],
  };
}

/** Phases of a lab are over in minutes: its Prometheus reads the proxies every 5 s. */
export const rolloutConfig = {
  bake: "20s",
  interval: "5s",
  settle: "12s",
  noDataLimit: "5m",
};
