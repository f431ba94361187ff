import { createHash } from "node:crypto";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { podSecurity } from "../lib/manifests/pod-security.ts";
import { serverLabels } from "../lib/monitoring/server-labels.ts";
import { childOptions } from "./child-options.ts";

type Quantities = Readonly<Record<string, string>>;

/** Image and size of a program. */
export interface ServerImage {
  readonly image: string;
  /** Kubernetes quantities by resource. @default none */
  readonly requests?: Quantities | undefined;
  /** Kubernetes quantities by resource. @default none */
  readonly limits?: Quantities | undefined;
}

/** Files for a program: every key of the object becomes one. */
interface ServerFiles {
  /** Folder in the container. */
  readonly path: string;
  readonly source: k8s.core.v1.ConfigMap | k8s.core.v1.Secret;
}

export interface MonitoringServerArgs extends ServerImage {
  /** Name of Deployment, Service, ServiceAccount and container, and of the label `app.kubernetes.io/name`. */
  readonly program: string;
  readonly namespace: pulumi.Input<string>;
  readonly args: readonly string[];
  readonly port: number;
  /** Path that answers 200 to GET while the program can serve. */
  readonly readyPath: string;
  /** Files that it follows by itself when they change. */
  readonly files?: readonly ServerFiles[];
  /** What else makes a new pod when it changes, such as a file that is read once. The pod gets a hash of it. */
  readonly restartOn?: string | undefined;
  /** Folder in the container that it writes to. @default none */
  readonly dataPath?: string | undefined;
  /** A claim for that folder. @default the pod's own disk, which is deleted with it */
  readonly dataClaim?: pulumi.Input<string> | undefined;
  /** Whether it talks to the API server. @default false */
  readonly apiServer?: boolean | undefined;
}

/** User nobody, as the official images have it. */
const USER = 65534;

/** One program of monitoring: a pod without any privilege behind a Service. */
export class MonitoringServer extends pulumi.ComponentResource {
  static readonly type = "istio-canary:mesh:MonitoringServer";
  readonly account: k8s.core.v1.ServiceAccount;
  readonly deployment: k8s.apps.v1.Deployment;
  /** `host:port` of the Service within the cluster. */
  readonly address: pulumi.Output<string>;

  constructor(name: string, args: MonitoringServerArgs, opts?: pulumi.ComponentResourceOptions) {
    super(MonitoringServer.type, name, {}, opts);
    const { program, namespace, port } = args;
    const labels = serverLabels(program);
    const metadata = { name: program, namespace, labels };

    this.account = new k8s.core.v1.ServiceAccount(
      `${name}-account`,
      { metadata },
      childOptions(this, opts),
    );

    const files = (args.files ?? []).map(({ path, source }, i) => ({
      volume: { name: `files-${i}`, ...volumeOf(source) },
      mount: { name: `files-${i}`, mountPath: path, readOnly: true },
    }));
    const data = args.dataPath === undefined ? [] : [dataVolume(args.dataPath, args.dataClaim)];
    const volumes = [...files, ...data];

    this.deployment = new k8s.apps.v1.Deployment(
      `${name}-deployment`,
      {
        metadata,
        spec: {
          replicas: 1,
          // Two must not write to one volume, and two that evaluate the same rules alert twice.
          strategy: { type: "Recreate" },
          selector: { matchLabels: labels },
          template: {
            metadata: {
              labels,
              ...(args.restartOn !== undefined && {
                annotations: { "istio-canary/configuration": fingerprint(args.restartOn) },
              }),
            },
            spec: {
              serviceAccountName: program,
              automountServiceAccountToken: args.apiServer ?? false,
              securityContext: podSecurity(USER),
              containers: [
                {
                  name: program,
                  image: args.image,
                  args: [...args.args],
                  ports: [{ name: "http", containerPort: port }],
                  resources: { requests: { ...args.requests }, limits: { ...args.limits } },
                  readinessProbe: {
                    httpGet: { path: args.readyPath, port: "http" },
                    periodSeconds: 5,
                  },
                  securityContext: {
                    allowPrivilegeEscalation: false,
                    readOnlyRootFilesystem: true,
                    capabilities: { drop: ["ALL"] },
                  },
                  volumeMounts: volumes.map(({ mount }) => mount),
                },
              ],
              volumes: volumes.map(({ volume }) => volume),
            },
          },
        },
      },
      childOptions(this, opts, [this.account]),
    );

    const service = new k8s.core.v1.Service(
      `${name}-service`,
      {
        metadata,
        spec: { selector: labels, ports: [{ name: "http", port, targetPort: "http" }] },
      },
      childOptions(this, opts),
    );
    this.address = pulumi.interpolate`${service.metadata.name}.${service.metadata.namespace}.svc:${port}`;
    this.registerOutputs({ address: this.address });
  }
}

function fingerprint(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

function volumeOf(source: ServerFiles["source"]): Omit<k8s.types.input.core.v1.Volume, "name"> {
  return source instanceof k8s.core.v1.Secret
    ? { secret: { secretName: source.metadata.name } }
    : { configMap: { name: source.metadata.name } };
}

function dataVolume(path: string, claim: pulumi.Input<string> | undefined) {
  return {
    volume: {
      name: "data",
      ...(claim === undefined ? { emptyDir: {} } : { persistentVolumeClaim: { claimName: claim } }),
    },
    mount: { name: "data", mountPath: path, readOnly: false },
  };
}
