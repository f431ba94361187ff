import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { PodTemplate } from "../lib/pod-template.ts";
import {
  CONFIG_ANNOTATIONS,
  CONFIG_PARTS,
  configObjects,
  fileKey,
  type ConfigDigests,
} from "../lib/version-config.ts";

/** What a version reads, and what it is known by. */
export interface VersionConfigArgs {
  /** Texts by path. @default none */
  readonly files?: Readonly<Record<string, string>> | undefined;
  /** Secret texts by path. @default none */
  readonly secretFiles?: Readonly<Record<string, pulumi.Input<string>>> | undefined;
  /** Secret texts by variable. @default none */
  readonly secretEnv?: Readonly<Record<string, pulumi.Input<string>>> | undefined;
  /** See configDigests: other content must have others. */
  readonly digests: ConfigDigests;
}

/** What the Deployment of a version has for it. */
interface MadeConfig {
  /** What its pods wait for. */
  readonly objects: readonly pulumi.Resource[];
  readonly annotations: Readonly<Record<string, string>>;
  /** To be merged over the pods'. */
  readonly template: PodTemplate;
}

/** Names of the volumes; a template of the user's must leave them alone. */
export const CONFIG_VOLUMES = {
  files: "version-files",
  secretFiles: "version-secret-files",
} as const;

function byKey<T>(files: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(files).map(([path, text]) => [fileKey(path), text]));
}

const mounts = (volume: string, files: object) =>
  Object.keys(files).map((path) => ({
    name: volume,
    mountPath: path,
    subPath: fileKey(path),
    readOnly: true,
  }));

/**
 * The ConfigMap and the Secret of a version. They are named by their content and never change: other content is another
 * object, which is there before the pods that read it. Pulumi removes the old one at the end of the update, when the new
 * pods of all clusters are ready.
 *
 * @param name of the version's resources
 * @param workload name of its Deployment
 */
export function versionConfig(
  name: string,
  {
    container,
    workload,
    metadata,
  }: {
    readonly container: string;
    readonly workload: string;
    readonly metadata: Readonly<{ namespace: string; labels: Readonly<Record<string, string>> }>;
  },
  { files = {}, secretFiles = {}, secretEnv = {}, digests }: VersionConfigArgs,
  opts: pulumi.CustomResourceOptions,
): MadeConfig {
  const { configMap, secret } = configObjects(workload, digests);
  const objects = [
    ...(configMap === undefined
      ? []
      : [
          new k8s.core.v1.ConfigMap(
            `${name}-files-${digests.files ?? ""}`,
            { metadata: { ...metadata, name: configMap }, immutable: true, data: byKey(files) },
            opts,
          ),
        ]),
    ...(secret === undefined
      ? []
      : [
          new k8s.core.v1.Secret(
            `${name}-secrets-${secret.slice(workload.length + 1)}`,
            {
              metadata: { ...metadata, name: secret },
              immutable: true,
              stringData: pulumi.secret({ ...byKey(secretFiles), ...secretEnv }),
            },
            pulumi.mergeOptions(opts, { additionalSecretOutputs: ["data", "stringData"] }),
          ),
        ]),
  ];
  return {
    objects,
    annotations: Object.fromEntries(
      CONFIG_PARTS.flatMap((part) => {
        const digest = digests[part];
        return digest === undefined ? [] : [[CONFIG_ANNOTATIONS[part], digest]];
      }),
    ),
    template: {
      spec: {
        volumes: [
          ...(digests.files === undefined
            ? []
            : [{ name: CONFIG_VOLUMES.files, configMap: { name: configMap } }]),
          ...(digests.secretFiles === undefined
            ? []
            : [{ name: CONFIG_VOLUMES.secretFiles, secret: { secretName: secret } }]),
        ],
        containers: [
          {
            name: container,
            env: Object.keys(secretEnv).map((variable) => ({
              name: variable,
              valueFrom: { secretKeyRef: { name: secret, key: variable } },
            })),
            volumeMounts: [
              ...mounts(CONFIG_VOLUMES.files, files),
              ...mounts(CONFIG_VOLUMES.secretFiles, secretFiles),
            ],
          },
        ],
      },
    },
  };
}
