import type { ExistingService, FoundPod, FoundWorkload } from "../../lib/existing.ts";
import { parseConfig, type Settings } from "../../stacks/config.ts";
import { rawConfig } from "./fixtures.ts";

/** The entry of `services` for a service that others have made. */
export const existingService = {
  workload: "existing",
  name: "user-service",
  namespace: "user",
  stable: { version: "v1" },
  canary: { version: "v2" },
} as const;

/** A right configuration with that service alone, at weight 0. */
export function existingConfig(
  more: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  return { ...rawConfig({ weight: 0 }), services: [{ ...existingService, ...more }] };
}

/** The same, read. */
export function existingSettings(
  more: Readonly<Record<string, unknown>> = {},
  weight = 0,
): Settings {
  const { settings, problems } = parseConfig({ ...existingConfig(more), weight });
  if (!settings || "meshStack" in settings) {
    throw new Error(`the fixture is wrong: ${JSON.stringify(problems)}`);
  }
  return settings;
}

/** The service as checks know it. */
export const existing: ExistingService = {
  service: "user-service",
  namespace: "user",
  port: 80,
  versionLabel: "version",
  serviceAccounts: ["user-service"],
  stable: "v1",
  canary: "v2",
  isCalledFromOutside: false,
};

/** A ready pod of a version, with a sidecar. */
export function foundPod(version: string, more: Partial<FoundPod> = {}): FoundPod {
  return {
    name: `user-service-${version}`,
    labels: { app: "user-service", version },
    serviceAccount: "user-service",
    isReady: true,
    hasSidecar: true,
    ...more,
  };
}

/** What a cluster has where all is well. */
export function foundWorkload(more: Partial<FoundWorkload> = {}): FoundWorkload {
  return {
    namespace: {},
    service: {
      type: "ClusterIP",
      isHeadless: false,
      selector: { app: "user-service" },
      ports: [{ port: 80, name: "http" }],
    },
    pods: [foundPod("v1"), foundPod("v2")],
    ...more,
  };
}
