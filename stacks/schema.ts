import { isIP } from "node:net";
import * as z from "zod";
import { isDnsLabel, isDnsName, isServiceName } from "../lib/names.ts";
import { arePhases, isWeight } from "../lib/weights.ts";

/** A rule on top of the type, with what to write instead. */
function rule<T extends z.ZodType>(
  schema: T,
  holds: (value: z.output<T>) => boolean,
  error: string,
  fix: string,
): T {
  return schema.refine(holds, { error, params: { fix } });
}

const text = (holds: (value: string) => boolean, error: string, fix: string) =>
  rule(z.string(), holds, error, fix);
const whole = (min: number, max: number, fix: string) =>
  rule(
    z.number(),
    (value) => Number.isInteger(value) && value >= min && value <= max,
    `must be a whole number from ${min} to ${max}`,
    fix,
  );
const label = (example: string) =>
  text(
    isDnsLabel,
    "must be a DNS label: at most 63 of a-z, 0-9 and -, with a letter or digit at both ends",
    `Write for instance ${example}.`,
  );
const domain = (example: string) =>
  text(isDnsName, "must be a domain name in lower case", `Write for instance ${example}.`);
const serviceName = (example: string) =>
  text(
    isServiceName,
    "must be a DNS label that begins with a letter: at most 63 of a-z, 0-9 and -",
    `Write for instance ${example}.`,
  );

/** Text that YAML and `pulumi config set --path` may take for a number or a boolean. */
const scalar = <T extends z.ZodType<string>>(schema: T) =>
  z.preprocess(
    (value) => (typeof value === "number" || typeof value === "boolean" ? String(value) : value),
    schema,
  );

const DURATION = /^(?:\d+(?:\.\d+)?(?:h|ms|m|s))+$/;
const duration = (example: string) =>
  text(
    (value) => DURATION.test(value) && durationMs(value) >= 1,
    "must be a duration of at least 1ms with its unit: h, m, s or ms",
    `Write for instance ${example}.`,
  );

/** Length of a duration such as `1m30s`, in milliseconds. */
export function durationMs(value: string): number {
  const units = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;
  return [...value.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g)].reduce(
    (sum, [, amount, unit]) => sum + Number(amount) * units[unit as keyof typeof units],
    0,
  );
}

const image = text(
  (value) =>
    /^[a-z0-9][\w.\-/:@]*$/.test(value) &&
    (/@sha256:[0-9a-f]{64}$/.test(value) || /:[\w][\w.-]{0,127}$/.test(value)) &&
    !value.endsWith(":latest"),
  "must be an image with a tag other than latest, or with a digest, so that all clusters run the same",
  "Write for instance registry.example.com/user-service:v2.",
);

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const match = rule(
  z.strictObject({
    header: z
      .record(
        text(
          (name) => TOKEN.test(name) && name !== "cookie",
          "must be a header name in lower case, other than cookie",
          "Write for instance x-canary, and cookies under the key cookie.",
        ),
        scalar(z.string().min(1)),
      )
      .optional(),
    cookie: rule(
      z.record(
        text(
          (name) => /^[!#$%&'*+\-.^_`|~\w]+$/.test(name),
          "must be the name of a cookie",
          "Write for instance canary.",
        ),
        scalar(
          text(
            (value) => /^[^\s;,"\\]+$/.test(value),
            "must be the value of a cookie: no blanks, quotes, commas, semicolons or backslashes",
            "Write for instance always.",
          ),
        ),
      ),
      (cookies) => Object.keys(cookies).length === 1,
      "must be one cookie",
      "Write a match of its own for each cookie; one of them is enough to match.",
    ).optional(),
  }),
  ({ header, cookie }) => Object.keys(header ?? {}).length + Object.keys(cookie ?? {}).length > 0,
  "must name a header or a cookie",
  'Write for instance {header: {x-canary: "true"}}.',
);

const version = z.strictObject({
  version: label("v2"),
  image,
  replicas: whole(1, 1000, "Write for instance 5.").default(5),
});

const quantities = z.record(z.string(), scalar(z.string()));

const service = z.strictObject({
  name: serviceName("user-service"),
  namespace: rule(
    label("user"),
    (name) => !/^(istio-|kube-)/.test(name) && name !== "default",
    "must be a namespace of the service's own, which the program makes: not default, kube-… or istio-…",
    "Write for instance user.",
  ),
  port: rule(
    whole(1024, 65535, "Write the port the container listens on, for instance 8080."),
    (port) => port < 15000 || port > 15099,
    "must not be one of the sidecar's ports, 15000 to 15099",
    "Let the container listen on another port, for instance 8080.",
  ),
  timeout: duration("10s").default("10s"),
  retries: z
    .strictObject({
      attempts: whole(0, 10, "Write for instance 2.").default(2),
      perTryTimeout: duration("3s").optional(),
      on: z.string().min(1).optional(),
    })
    .default({ attempts: 2 }),
  stable: version,
  canary: version.optional(),
  matches: z.array(match).default([]),
  mirrorPercent: whole(0, 100, "Write for instance 10.").default(0),
  ingressHosts: z.array(domain("user.example.com")).optional(),
  args: z.array(scalar(z.string())).optional(),
  env: z
    .record(
      text(
        (name) =>
          /^[A-Za-z_]\w*$/.test(name) && !["SERVICE_VERSION", "CLUSTER_NAME"].includes(name),
        "must be the name of an environment variable, and not SERVICE_VERSION or CLUSTER_NAME, which the program sets",
        "Write for instance LOG_LEVEL.",
      ),
      scalar(z.string()),
    )
    .optional(),
  healthPath: text(
    (path) => /^\/\S*$/.test(path),
    "must be a path",
    "Write for instance /healthz.",
  ).default("/healthz"),
  resources: z
    .strictObject({ requests: quantities.optional(), limits: quantities.optional() })
    .optional(),
  user: rule(
    whole(1, 2 ** 31 - 1, "Write for instance 65532."),
    (id) => id !== 1337,
    "must not be 1337, the user id of the sidecar",
    "Write for instance 65532.",
  ).optional(),
});

const cluster = z.strictObject({
  name: label("cluster-a"),
  network: label("network-a"),
  context: z.string().min(1),
  kubeconfig: z.string().min(1).optional(),
  apiServer: text(
    (url) => URL.canParse(url) && new URL(url).protocol === "https:",
    "must be an https URL",
    "Write for instance https://10.0.0.1:6443.",
  ).optional(),
  eastWestAddresses: rule(
    z.array(text((a) => isIP(a) !== 0, "must be an IP address", "Write for instance 203.0.113.7.")),
    (list) => list.length > 0,
    "must list an address",
    "Leave it out to use the addresses of the gateway's load balancer.",
  ).optional(),
});

const values = z.record(z.string(), z.unknown()).default({});

const mesh = z.strictObject({
  id: label("prod-mesh"),
  istioVersion: text(
    (value) => /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(value),
    "must be a full version",
    "Write for instance 1.31.0, in quotes if YAML takes it for a number.",
  ),
  trustDomain: domain("cluster.local").default("cluster.local"),
  clusterDomain: domain("cluster.local").default("cluster.local"),
  env: text(
    (value) => /^[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?$/.test(value),
    "must be the value of a label",
    "Write for instance prod.",
  ).default("prod"),
  charts: rule(
    z.strictObject({ repository: z.url().optional(), directory: z.string().min(1).optional() }),
    ({ repository, directory }) => repository === undefined || directory === undefined,
    "must name a repository or a directory, not both",
    "Remove one of them.",
  ).default({}),
  hub: z.string().min(1).optional(),
  values: z.strictObject({ base: values, istiod: values, gateway: values }).default({
    base: {},
    istiod: {},
    gateway: {},
  }),
});

const days = (example: number) => whole(1, 36500, `Write the days, for instance ${example}.`);
const certificates = z.strictObject({
  rotation: scalar(z.string().min(1)).default("1"),
  rootDays: days(3650).default(3650),
  intermediateDays: days(365).default(365),
  root: z.string().optional(),
  clusters: z
    .record(
      z.string(),
      z.strictObject({
        certificate: z.string().optional(),
        key: z.string().optional(),
        chain: z.string().optional(),
      }),
    )
    .optional(),
});

const ingress = z.strictObject({
  hosts: rule(
    z.array(domain("user.example.com")),
    (hosts) => hosts.length > 0 && new Set(hosts).size === hosts.length,
    "must list at least one host, each once",
    "Write for instance [user.example.com].",
  ),
  tls: z
    .strictObject({
      credentialName: label("user-example-com"),
      certificate: z.string().optional(),
      key: z.string().optional(),
      httpsRedirect: z.boolean().default(false),
    })
    .optional(),
});

/** The configuration's keys. Rules that join several keys are in checks.ts. */
export const schema = {
  kubeconfig: z.string().min(1).optional(),
  mesh,
  clusters: z.array(cluster),
  certificates: certificates.prefault({}),
  ingress: ingress.optional(),
  services: rule(
    z.array(service),
    (services) => services.length > 0,
    "must list a service",
    "Add one with name, namespace, port and stable.",
  ),
  phases: rule(
    z.array(z.number()),
    arePhases,
    "must be whole numbers from 1 to 100 that rise from one to the next and end at 100",
    "Write for instance [10, 30, 100].",
  ).default([10, 30, 100]),
  weight: rule(
    z.number(),
    isWeight,
    "must be a whole number from 0 to 100",
    "Set it with: pulumi config set weight 10",
  ).default(0),
};

export type Mesh = z.output<typeof mesh>;
export type Cluster = z.output<typeof cluster>;
export type Service = z.output<typeof service>;
export type Certificates = z.output<typeof certificates>;
export type Ingress = z.output<typeof ingress>;
