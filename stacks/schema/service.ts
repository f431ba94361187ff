import * as z from "zod";
import { PORT_PROTOCOLS, PROTOCOLS } from "../../lib/ports.ts";
import { CLUSTER_PREFERENCES } from "../../lib/routing/routing.ts";
import { autoscaling } from "./autoscaling.ts";
import { corsPolicy } from "./cors-policy.ts";
import { gatewayName, headers, paths, rewrite } from "./ingress-routes.ts";
import { match } from "./match.ts";
import { template } from "./template.ts";
import { trafficPolicy } from "./traffic-policy.ts";
import {
  domain,
  duration,
  durationOrNone,
  filled,
  image,
  key,
  label,
  labelValue,
  pattern,
  rule,
  scalar,
  serviceName,
  text,
  whole,
} from "./values.ts";

const ROUTE_ONLY = "Updates the service's routes in every cluster; nothing restarts.";
const RULE_ONLY =
  "Updates the DestinationRules in every cluster before any weight rises; nothing restarts.";
const ROLLS = "Rolls the pods of all versions, each replaced only when its successor is ready.";

const quantities = (what: string, examples: readonly unknown[]) =>
  key(z.record(z.string(), scalar(z.string())).optional(), {
    description: `What each pod's container ${what}, by resource, as Kubernetes quantities.`,
    fallback: "none",
    placeholder: "resource",
    examples,
  });

const variable = text(
  (name) => /^[A-Za-z_]\w*$/.test(name) && !["SERVICE_VERSION", "CLUSTER_NAME"].includes(name),
  "must be the name of an environment variable, and not SERVICE_VERSION or CLUSTER_NAME, which the program sets",
  "For example: LOG_LEVEL.",
  { pattern: "^(?!(SERVICE_VERSION|CLUSTER_NAME)$)[A-Za-z_]\\w*$" },
);

const environment = z.record(variable, scalar(z.string()));
const secretEnvironment = z.record(variable, label("database-password"));

const filePath = text(
  (path) =>
    path.length <= 200 &&
    /^(?:\/[-.\w]+)+$/.test(path) &&
    !path.split("/").some((part) => part === "." || part === ".."),
  "must be the absolute path of a file, of at most 200 of a-z, A-Z, 0-9, ., -, _ and /",
  "For example: /etc/user-service/config.yaml.",
  { pattern: "^(/[-.\\w]+)+$", maxLength: 200 },
);

const files = z.record(filePath, z.string());
const secretFiles = z.record(filePath, label("database-password"));

const containerResources = z.strictObject({
  requests: quantities("is promised", [{ cpu: "100m", memory: "128Mi" }]),
  limits: quantities("gets at most", [{ memory: "256Mi" }]),
});

const containerArgs = z.array(scalar(z.string()));

const ROLLS_ONE = "Rolls this version's pods, each replaced only when its successor is ready.";
const KEPT = "must stay as it is while this version serves requests";
const SERVES =
  "must stay as it is while a version whose pods the program makes serves requests, unless `allow` has replace-stable";

const version = z.strictObject({
  version: key(labelValue("v2"), {
    routing: "all",
    description:
      "Name of the version: value of the label `version`, or of `versionLabel`. It is part of the names of Istio's subsets and of what the program makes for the version; where it is no DNS label, as `1.16.0`, these have a readable form of it with a digest, as `1-16-0-3b41f45f`. Put a number in quotes: YAML takes 1.10 for 1.1.",
    rules: [
      "must be different in stable and canary",
      "must keep `NAME-VERSION` within 63 characters where the program makes the Deployment",
    ],
    effect:
      "Changing it creates another Deployment, unless `workload` is existing. A canary that becomes stable keeps its name, and so its pods.",
    examples: ["v2", "1.16.0"],
  }),
  image: key(image("registry.example.com/user-service:v2").optional(), {
    routing: "none",
    description: "Image of the container, with a tag or digest.",
    fallback: "none, it must be given unless `workload` is existing",
    rules: [KEPT],
    effect: ROLLS_ONE,
    examples: ["registry.example.com/user-service:v2"],
  }),
  env: key(environment.optional(), {
    routing: "none",
    description:
      "Environment variables of this version alone: each is added to the service's `env`, or takes the place of the one with its name.",
    fallback: "the service's `env`",
    rules: [KEPT],
    effect: ROLLS_ONE,
    placeholder: "variable",
    examples: [{ CACHE: "redis" }],
  }),
  files: key(files.optional(), {
    routing: "none",
    description:
      "Files of this version alone, by path: each is added to the service's `files`, or takes the place of the one with its path.",
    fallback: "the service's `files`",
    rules: [KEPT],
    effect: ROLLS_ONE,
    placeholder: "path",
    examples: [{ "/etc/user-service/config.yaml": "cache: redis\n" }],
  }),
  secretFiles: key(secretFiles.optional(), {
    routing: "none",
    description:
      "Secret files of this version alone, by path, as names of `secrets`: each is added to the service's `secretFiles`, or takes the place of the one with its path.",
    fallback: "the service's `secretFiles`",
    rules: [KEPT, "must be names of `secrets`"],
    effect: ROLLS_ONE,
    placeholder: "path",
    examples: [{ "/etc/user-service/key.pem": "signing-key-2" }],
  }),
  secretEnv: key(secretEnvironment.optional(), {
    routing: "none",
    description:
      "Secret variables of this version alone, as names of `secrets`: each is added to the service's `secretEnv`, or takes the place of the one with its name.",
    fallback: "the service's `secretEnv`",
    rules: [KEPT, "must be names of `secrets`", "must not be variables of `env` too"],
    effect: ROLLS_ONE,
    placeholder: "variable",
    examples: [{ DATABASE_PASSWORD: "database-password-2" }],
  }),
  args: key(containerArgs.optional(), {
    routing: "none",
    description: "Arguments of this version, in place of the service's.",
    fallback: "the service's `args`",
    rules: [KEPT],
    effect: ROLLS_ONE,
    examples: [["--port=8080", "--version=$(SERVICE_VERSION)", "--cache=redis"]],
  }),
  resources: key(containerResources.optional(), {
    routing: "none",
    description: "CPU and memory of this version's container, in place of the service's.",
    fallback: "the service's `resources`",
    rules: [KEPT],
    effect: ROLLS_ONE,
    examples: [{ requests: { cpu: "200m", memory: "256Mi" }, limits: { memory: "512Mi" } }],
  }),
  replicas: key(whole(1, 1000, "For example: 5.").default(5), {
    routing: "none",
    description: "Pods of this version in each cluster.",
    rules: [
      "must be left out with `autoscaling`",
      "must not be less in stable, while a canary serves requests, than stable had when the canary began",
    ],
    effect: "Adds or removes pods; the others keep running.",
    examples: [5],
  }),
  trafficPolicy: key(trafficPolicy.optional(), {
    routing: "all",
    description:
      "Traffic policy of this version alone: each of the three keys replaces the service's as a whole.",
    fallback: "the service's `trafficPolicy`",
    sameAs: "services[].trafficPolicy",
    effect: RULE_ONLY,
    examples: [{ outlierDetection: { consecutive5xxErrors: 3 } }],
  }),
});

const protocol = z.enum(PROTOCOLS, {
  error:
    "must be http, http2 or grpc: connections of other protocols, such as tcp and tls, are not split request by request, and the gates cannot judge them. A tcp port may be listed under morePorts",
});

const portProtocol = z.enum(PORT_PROTOCOLS, {
  error:
    "must be http, http2, grpc or tcp; connections of a tcp port are not split, all go to stable. TLS that the service itself speaks is tcp, too: it is passed on as it is",
});

const retries = z.strictObject({
  attempts: key(whole(0, 10, "For example: 2.").default(2), {
    description: "Retries after the first attempt.",
    examples: [2],
  }),
  perTryTimeout: key(duration("3s").optional(), {
    description: "Time limit of one attempt.",
    fallback: "the service's timeout",
    rules: ["must not be longer than the service's `timeout`"],
    examples: ["3s"],
  }),
  on: key(filled("connect-failure,refused-stream").optional(), {
    description:
      "Envoy's conditions for a retry, joined by commas, as in Istio's `retryOn`. With conditions on an answer (5xx, gateway-error, reset, unavailable, a status), a request that the service has worked on runs again: only for requests that may.",
    fallback:
      "connect-failure,refused-stream,unavailable,cancelled; without the last two if a port is grpc: a call that is answered so may have been worked on; with reset-before-request if `clusterPreference` is set",
    examples: ["connect-failure,refused-stream"],
  }),
});

/** Labels that controllers give pods by the hash of a template. */
const HASH_LABELS = [
  "pod-template-hash",
  "rollouts-pod-template-hash",
  "controller-revision-hash",
] as const;

const LABEL_KEY =
  /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

/** What editors ask of a version whose pods the program makes. */
const PULLED = { type: "object", required: ["image"] };

/** One service, its versions and its routes. */
export const service = z
  .strictObject({
    workload: key(z.enum(["made", "existing"]).optional(), {
      routing: "all",
      description:
        "Whose the Deployments, the Service and the namespace are. made: the program makes them, and removes them. existing: they are somebody else's; the program makes the routes to them, and nothing more, as docs/existing-services.md tells.",
      fallback: "made",
      rules: ["must be made with `chain`", "must stay as it is for a service that is released"],
      effect: "Do not change it: the program would remove the pods that it has made.",
      examples: ["existing"],
    }),
    name: key(serviceName("user-service"), {
      routing: "all",
      description:
        "Name of the Service; of what the program makes, also of the ServiceAccount and the container, and value of the label `app`.",
      rules: ["must be unique in its namespace"],
      effect: "Creates a new service and removes the old one.",
      examples: ["user-service"],
    }),
    namespace: key(
      rule(
        label("user"),
        (name) => !/^(istio-|kube-)/.test(name),
        "must be a namespace for services: not the system's, kube-… or istio-…",
        "For example: user.",
      ),
      {
        routing: "all",
        description:
          "Namespace of the service in every cluster. The program creates it, and removes it with its last service, unless `workload` is existing.",
        rules: [
          "must not be default unless `workload` is existing",
          "must not have services of both workloads",
        ],
        effect: "Creates a new service and removes the old one.",
        examples: ["user"],
      },
    ),
    port: key(
      rule(
        whole(1024, 65535, "Write the port that the container listens on, for example 8080."),
        (port) => port < 15000 || port > 15099,
        "must not be one of the sidecar's ports, 15000 to 15099",
        "Let the container listen on another port, for example 8080.",
      ).optional(),
      {
        routing: "none",
        description:
          "Port the container listens on. The port of a Service that the program makes is 80.",
        fallback: "none, it must be given unless `workload` is existing",
        rules: [SERVES],
        effect: ROLLS,
        examples: [8080],
      },
    ),
    protocol: key(protocol.optional(), {
      routing: "all",
      description:
        "What the service speaks on `port`, or an existing one on `servicePort`. http2 is HTTP/2 without TLS from the start. With grpc both probes ask the container's gRPC health service.",
      fallback: "http",
      rules: [
        "must be http, or left out, in a chain",
        "must stay as it is while a version whose pods the program makes serves requests, whatever `allow` says",
      ],
      effect: "Renames the Service's port, and rolls the pods of all versions where they are made.",
      examples: ["grpc"],
    }),
    morePorts: key(
      z
        .array(
          z.strictObject({
            port: key(whole(1, 65535, "For example: 9090."), {
              description: "Port of the Service under which it is called.",
              rules: ["must be another one than the service's first port, 80 or `servicePort`"],
              examples: [9090],
            }),
            targetPort: key(
              rule(
                whole(1024, 65535, "For example: 9090."),
                (port) => port < 15000 || port > 15099,
                "must not be one of the sidecar's ports, 15000 to 15099",
                "Let the container listen on another port, for example 9090.",
              ).optional(),
              {
                description: "Port that the container listens on.",
                fallback: "`port`",
                rules: [
                  "must be given where `port` is below 1024",
                  "must be left out if `workload` is existing",
                  "must stay as it is while a version serves requests, whatever `allow` says",
                ],
                examples: [9090],
              },
            ),
            protocol: key(portProtocol.default("http"), {
              description:
                "What it speaks there. Connections to a `tcp` port are not split: all of them go to stable.",
              examples: ["grpc"],
            }),
          }),
        )
        .optional(),
      {
        routing: "all",
        description:
          "Further ports of the Service. Requests to all ports are split by the same weights, but for those of `tcp`; those from outside go to the first one.",
        fallback: "none",
        rules: [SERVES],
        effect: "Updates the Service and the service's routes; rolls the pods where they are made.",
        examples: [[{ port: 9090, protocol: "grpc" }]],
      },
    ),
    servicePort: key(whole(1, 65535, "For example: 80.").optional(), {
      routing: "all",
      description:
        "Port of an existing Service under which it is called, and which speaks `protocol`.",
      fallback: "80",
      rules: ["must be left out unless `workload` is existing"],
      effect: ROUTE_ONLY,
      examples: [8080],
    }),
    versionLabel: key(
      rule(
        pattern(LABEL_KEY, "must be the key of a label", "For example: version."),
        (name) => !(HASH_LABELS as readonly string[]).includes(name),
        `must not be ${HASH_LABELS.join(", ")}: the owner's next deploy changes it, and no pod is left under the old value`,
        "Name a label that the owner writes, for example version or app.kubernetes.io/version.",
      ).optional(),
      {
        routing: "all",
        description:
          "Label of an existing service's pods whose value is the version. Istio's metrics must know the pods by the same value.",
        fallback: "version",
        rules: ["must be left out unless `workload` is existing"],
        effect: ROUTE_ONLY,
        examples: ["app.kubernetes.io/version"],
      },
    ),
    serviceAccounts: key(
      rule(
        z.array(domain("user-service")).meta({ minItems: 1 }),
        (names) => names.length > 0,
        "must name at least one",
        "Name the pods' spec.serviceAccountName; it is default where they have none.",
      ).optional(),
      {
        routing: "all",
        description:
          "ServiceAccounts of an existing service's pods, all versions together. Clients that call it in one other cluster accept these identities alone.",
        fallback: "the one with the service's name",
        rules: ["must be left out unless `workload` is existing"],
        effect: ROUTE_ONLY,
        examples: [["default"]],
      },
    ),
    adopt: key(z.boolean().optional(), {
      routing: "none",
      description:
        "Whether the VirtualService and the DestinationRule of the existing service's name become the program's, where others have made them, or this program did and Pulumi's state was lost. They must do to requests what this configuration says.",
      fallback: "false, they are refused",
      rules: ["must be left out unless `workload` is existing"],
      effect:
        "Pulumi imports both objects and updates them in place; no request goes another way. What it has adopted stays the program's.",
      examples: [true],
    }),
    timeout: key(durationOrNone("10s").default("10s"), {
      routing: "all",
      description:
        "Time limit of a request with all its retries, until its response is complete: it cuts every stream that lasts longer. none: no limit, for streams (SSE, gRPC, WebSocket).",
      effect: ROUTE_ONLY,
      examples: ["10s", "none"],
    }),
    retries: key(retries.default({ attempts: 2 }), {
      routing: "all",
      description:
        "Retries of a request that has not reached the service, by default: no request, and so no POST, then runs twice.",
      effect: ROUTE_ONLY,
      examples: [{ attempts: 2, perTryTimeout: "3s" }],
    }),
    clusterPreference: key(z.enum(CLUSTER_PREFERENCES).optional(), {
      routing: "all",
      description:
        "Which clusters' pods answer the clients of a cluster. own-first: those of the same cluster, and those of the others while it has none that can be reached. spread: those of all clusters alike. With either, a connection is given up after 1 s, what cannot be reached is left out for a while, and only requests that have not reached the service are sent again: docs/failover.md. Write own-first for a new service.",
      fallback:
        "pods of all clusters alike; a connection is given up after Istio's 10 s, and nothing is left out",
      rules: [
        "must be left out with `trafficPolicy.loadBalancer.localityLbSetting`",
        "needs Istio 1.31 for a service with http2 or grpc ports",
      ],
      effect:
        "Updates the DestinationRules in every cluster before any weight rises, then the VirtualServices; nothing restarts.",
      examples: ["own-first"],
    }),
    trafficPolicy: key(trafficPolicy.optional(), {
      routing: "all",
      description:
        "What clients' proxies do on the way to the pods, in the words of Istio's DestinationRule: merged into the rules that the program makes, the same in all clusters.",
      fallback: "Istio's defaults",
      rules: [
        "must not have tls, portLevelSettings, tunnel or proxyProtocol, which are not yours to set",
      ],
      effect: RULE_ONLY,
      examples: [
        {
          outlierDetection: { consecutive5xxErrors: 5, interval: "10s", baseEjectionTime: "30s" },
        },
      ],
    }),
    corsPolicy: key(corsPolicy.optional(), {
      routing: "all",
      description:
        "Which web pages of other origins may call the service, in the words of Istio's CorsPolicy. Proxies answer the browsers' preflight requests themselves.",
      fallback: "none, the service answers them",
      effect: ROUTE_ONLY,
      examples: [{ allowOrigins: [{ exact: "https://shop.example.com" }], allowMethods: ["GET"] }],
    }),
    stable: key(version, {
      routing: "parts",
      description: "The version that gets all requests that the canary does not get.",
      effect:
        "To promote the canary at weight 100, make it the stable version and set `weight` to 0 in one update: its pods stay.",
      examples: [{ version: "v1", image: "registry.example.com/user-service:v1", replicas: 5 }],
    }),
    canary: key(version.optional(), {
      routing: "parts",
      description: "The version on trial.",
      fallback: "none, stable gets every request",
      effect:
        "Its pods become ready in all clusters before any route names it. To remove it, first set `weight` to 0, in an update of its own.",
      examples: [{ version: "v2", image: "registry.example.com/user-service:v2", replicas: 5 }],
    }),
    matches: key(z.array(match).default([]), {
      routing: "all",
      description:
        "Requests that reach the canary at any weight, even 0. One match is enough; what one match names must all hold.",
      effect: ROUTE_ONLY,
      examples: [[{ header: { "x-canary": "true" } }, { cookie: { canary: "always" } }]],
    }),
    mirrorPercent: key(whole(0, 100, "For example: 10.").default(0), {
      routing: "all",
      description:
        "Percent of the requests that are also sent to the canary, whose responses are discarded.",
      effect: ROUTE_ONLY,
      examples: [10],
    }),
    ingressHosts: key(z.array(domain("user.example.com")).optional(), {
      routing: "all",
      description:
        "Which of `ingress.hosts` lead to this service; with `ingress.gateway` or `ingressGateways`, which hosts of those Gateways.",
      fallback: "all of them if this is the only service, else none",
      rules: [
        "must be hosts of `ingress.hosts`, unless `ingressGateways` are yours",
        "must lead to this service alone, unless the others have `ingressPaths`",
        "must be given, `[]` for none, if `meshStack` is and its mesh has `ingress`, or with `ingress.gateway`",
      ],
      effect: ROUTE_ONLY,
      examples: [["user.example.com"]],
    }),
    ingressPaths: key(paths.optional(), {
      routing: "all",
      description:
        "Which paths of its `ingressHosts` lead to this service, in the words of Istio's StringMatch; one is enough. Other services may have the others. Inside the mesh, its own host leads to it whatever the path.",
      fallback: "all that no other service has",
      rules: [
        "must be given for all services of a host but one",
        "must not overlap with those of another service of the host: Istio does not say whose rules come first",
      ],
      effect: ROUTE_ONLY,
      examples: [[{ exact: "/api" }, { prefix: "/api/" }]],
    }),
    ingressPathsOfOthers: key(paths.optional(), {
      routing: "all",
      description:
        "Which paths of its `ingressHosts` lead to services of other stacks or teams: testers' rules (`matches`) leave these out. The paths of this stack's services are known.",
      fallback: "none",
      rules: ["must be left out with `ingressPaths`"],
      effect: ROUTE_ONLY,
      examples: [[{ exact: "/api" }, { prefix: "/api/" }]],
    }),
    ingressGateways: key(
      rule(
        z.array(gatewayName).meta({ minItems: 1, uniqueItems: true }),
        (names) => names.length > 0 && new Set(names).size === names.length,
        "must list at least one, each once",
        "For example: [istio-ingress/internal].",
      ).optional(),
      {
        routing: "all",
        description:
          "Gateway objects of yours, as NAMESPACE/NAME, that serve its `ingressHosts` in place of the program's. They must be in every cluster, with servers for the hosts.",
        fallback: "the ingress gateway that the mesh's stack has installed",
        effect: ROUTE_ONLY,
        examples: [["istio-ingress/public", "istio-ingress/internal"]],
      },
    ),
    rewrite: key(rewrite.optional(), {
      routing: "all",
      description:
        "How gateways change path and host of requests from outside, in the words of Istio's HTTPRewrite, for both versions alike. Requests inside the mesh stay as they are.",
      fallback: "they stay as they are",
      rules: ["must be left out without `ingressHosts`"],
      effect: ROUTE_ONLY,
      examples: [{ uri: "/" }],
    }),
    headers: key(headers.optional(), {
      routing: "all",
      description:
        "What gateways do to the headers of requests from outside and of their responses, in the words of Istio's Headers, for both versions alike. Requests inside the mesh stay as they are.",
      fallback: "they stay as they are",
      rules: [
        "must be left out without `ingressHosts`",
        "must not name, of a request, a header by which `matches` or a chain choose the canary",
      ],
      effect: ROUTE_ONLY,
      examples: [{ request: { set: { "x-forwarded-prefix": "/api" } } }],
    }),
    args: key(containerArgs.optional(), {
      routing: "none",
      description:
        "Arguments of the container. `$(SERVICE_VERSION)` and `$(CLUSTER_NAME)` in them are expanded.",
      fallback: "the image's",
      rules: ["must stay as it is for a version that serves requests"],
      effect: ROLLS,
      examples: [["--port=8080", "--version=$(SERVICE_VERSION)"]],
    }),
    env: key(environment.optional(), {
      routing: "none",
      description:
        "Environment variables of the container, in addition to SERVICE_VERSION and CLUSTER_NAME.",
      fallback: "none",
      rules: ["must stay as it is for a version that serves requests"],
      effect: ROLLS,
      placeholder: "variable",
      examples: [{ LOG_LEVEL: "info" }],
    }),
    files: key(files.optional(), {
      routing: "none",
      description:
        "Files that the container reads, by path. The program makes an immutable ConfigMap of them for each version, named by its content, and mounts each file alone.",
      fallback: "none",
      rules: [
        "must stay as it is for a version that serves requests",
        "must have at most 1 MiB together",
      ],
      effect: ROLLS,
      placeholder: "path",
      examples: [{ "/etc/user-service/config.yaml": "cache: none\n" }],
    }),
    secretFiles: key(secretFiles.optional(), {
      routing: "none",
      description:
        "Files that the container reads, by path, whose content is secret: the name of one of `secrets` for each. The program makes an immutable Secret for each version.",
      fallback: "none",
      rules: [
        "must stay as it is for a version that serves requests",
        "must be names of `secrets`",
        "must not be paths of `files` too",
      ],
      effect: ROLLS,
      placeholder: "path",
      examples: [{ "/etc/user-service/key.pem": "signing-key" }],
    }),
    secretEnv: key(secretEnvironment.optional(), {
      routing: "none",
      description:
        "Environment variables whose values are secret: the name of one of `secrets` for each. They are in the same Secret as `secretFiles`.",
      fallback: "none",
      rules: [
        "must stay as it is for a version that serves requests",
        "must be names of `secrets`",
        "must not be variables of `env` too",
      ],
      effect: ROLLS,
      placeholder: "variable",
      examples: [{ DATABASE_PASSWORD: "database-password" }],
    }),
    healthPath: key(
      pattern(/^\/\S*$/, "must be a path", "For example: /healthz.").default("/healthz"),
      {
        routing: "none",
        description:
          "Path that answers 200 to GET while the container can serve; both probes request it.",
        rules: [SERVES],
        effect: ROLLS,
        examples: ["/healthz"],
      },
    ),
    metrics: key(
      z
        .strictObject({
          port: key(whole(1, 65535, "For example: 9090.").optional(), {
            description: "Port of the container that answers.",
            fallback: "the service's `port`",
            examples: [9090],
          }),
          path: key(
            pattern(/^\/\S*$/, "must be a path", "For example: /metrics.").default("/metrics"),
            { description: "Path of the metrics.", examples: ["/metrics"] },
          ),
        })
        .optional(),
      {
        routing: "none",
        description:
          "Where the container exposes its own metrics, in Prometheus' format. The pods get the annotations `prometheus.io/scrape`, `prometheus.io/port` and `prometheus.io/path`, by which Istio's agent adds the metrics to the proxy's. `monitoring.metrics` says which of them are kept.",
        fallback: "no such annotations",
        rules: [SERVES],
        effect: ROLLS,
        examples: [{ path: "/metrics" }],
      },
    ),
    resources: key(containerResources.optional(), {
      routing: "none",
      description: "CPU and memory of the container.",
      fallback: "requests of 100m CPU and 128Mi memory, a limit of 256Mi memory",
      rules: ["must stay as it is for a version that serves requests"],
      effect: ROLLS,
      examples: [{ requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "256Mi" } }],
    }),
    autoscaling: key(autoscaling.optional(), {
      routing: "none",
      description:
        "Who decides how many pods a version has: a HorizontalPodAutoscaler that the program makes for each version, or with `external` somebody else's. The Deployments then have no count of their own; docs/autoscaling.md tells how it is handed over.",
      fallback: "none, a version has as many pods as its `replicas`",
      rules: ["must be left out unless the program makes the Deployments"],
      effect: "Hands the count of the running Deployments over as it is: no pod is removed for it.",
      examples: [{ min: 3, max: 20, cpu: 70 }, { external: true }],
    }),
    user: key(
      rule(
        whole(1, 2 ** 31 - 1, "For example: 65532."),
        (id) => id !== 1337,
        "must not be 1337, the user id of the sidecar",
        "For example: 65532.",
      ).optional(),
      {
        routing: "none",
        description: "User id the container runs as.",
        fallback: "65532",
        rules: [SERVES],
        effect: ROLLS,
        examples: [65532],
      },
    ),
    accountAnnotations: key(
      z
        .record(
          pattern(
            LABEL_KEY,
            "must be the key of an annotation",
            "For example: eks.amazonaws.com/role-arn.",
          ),
          scalar(z.string()),
        )
        .optional(),
      {
        routing: "none",
        description:
          "Annotations of the ServiceAccount, by which a cloud gives the pods an identity of its own (IRSA of EKS, Workload Identity of GKE).",
        fallback: "none",
        effect: "Updates the ServiceAccount. Pods that run keep the identity they have.",
        placeholder: "annotation",
        examples: [{ "eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/user-service" }],
      },
    ),
    template: key(template.optional(), {
      routing: "none",
      description:
        "A PodTemplateSpec of Kubernetes (`metadata`, `spec`), merged over the pods that the program makes, as docs/pod-template.md tells: volumes, variables from others' ConfigMaps and Secrets, probes, scheduling, further containers. The container named after the service is the program's. A field that is `null` leaves out what the program sets.",
      fallback: "none, the pods are as the program makes them",
      rules: [
        "must have fields of Kubernetes' PodTemplateSpec alone",
        "must leave alone what the program sets itself: the labels app, version and env, the container's image and first port, its variables SERVICE_VERSION and CLUSTER_NAME, the ServiceAccount, the sidecar",
      ],
      effect: ROLLS,
      examples: [
        {
          spec: {
            containers: [
              { name: "user-service", volumeMounts: [{ name: "tmp", mountPath: "/tmp" }] },
            ],
            volumes: [{ name: "tmp", emptyDir: {} }],
          },
        },
      ],
    }),
  })
  .meta({
    // What the program makes it must know all of; editors ask for it too.
    if: { properties: { workload: { const: "existing" } }, required: ["workload"] },
    then: {},
    else: {
      required: ["port"],
      properties: { stable: PULLED, canary: PULLED },
    },
  });

export type Service = z.output<typeof service>;

/** Keys that only a service has whose pods the program makes. */
export const MADE_KEYS = [
  "port",
  "args",
  "env",
  "files",
  "secretFiles",
  "secretEnv",
  "healthPath",
  "metrics",
  "resources",
  "autoscaling",
  "user",
  "accountAnnotations",
  "template",
] as const satisfies (keyof Service)[];

/** The same of a version. */
export const MADE_VERSION_KEYS = [
  "image",
  "env",
  "files",
  "secretFiles",
  "secretEnv",
  "args",
  "resources",
  "replicas",
] as const satisfies (keyof z.output<typeof version>)[];

/** Keys that only an existing service has. */
export const EXISTING_KEYS = [
  "servicePort",
  "versionLabel",
  "serviceAccounts",
  "adopt",
] as const satisfies (keyof Service)[];
