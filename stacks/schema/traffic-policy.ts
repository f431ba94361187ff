import * as z from "zod";
import { duration, filled, key, rule, whole } from "./values.ts";

const LARGEST = 2 ** 31 - 1;
const ISTIO = "Istio's default";

const count = (description: string, example: number, least = 1) =>
  key(whole(least, LARGEST, `For example: ${example}.`).optional(), {
    description,
    fallback: ISTIO,
    examples: [example],
  });
const percent = (description: string, example: number) =>
  key(whole(0, 100, `For example: ${example}.`).optional(), {
    description,
    fallback: ISTIO,
    examples: [example],
  });
const time = (description: string, example: string) =>
  key(duration(example).optional(), { description, fallback: ISTIO, examples: [example] });
const flag = (description: string) =>
  key(z.boolean().optional(), { description, fallback: ISTIO, examples: [true] });
const name = (description: string, example: string) =>
  key(filled(example).optional(), { description, fallback: "none", examples: [example] });

const number = (least: number, most: number, example: number) =>
  rule(
    z.number().meta({ minimum: least, maximum: most }),
    (value) => value >= least && value <= most,
    `must be a number from ${least} to ${most}`,
    `For example: ${example}.`,
  ).optional();

/** How many of these keys are given. */
const given = (...values: readonly unknown[]) =>
  values.filter((value) => value !== undefined).length;

const tcp = z.strictObject({
  maxConnections: count("Most connections to the destination, of HTTP/1.1 and TCP.", 100),
  connectTimeout: time("Time limit of a connection attempt.", "3s"),
  idleTimeout: time("How long an idle TCP connection is kept.", "1h"),
  maxConnectionDuration: time("How long a connection is kept at most.", "24h"),
  tcpKeepalive: key(
    z
      .strictObject({
        probes: count("Probes without an answer before a connection counts as dead.", 9),
        time: time("How long a connection is idle before the first probe.", "2h"),
        interval: time("Time between two probes.", "75s"),
      })
      .optional(),
    {
      description: "Probes that keep idle connections open.",
      fallback: "none",
      examples: [{ time: "2h", interval: "75s", probes: 9 }],
    },
  ),
});

const http = z.strictObject({
  http1MaxPendingRequests: count("Most requests that wait for a connection.", 1024),
  http2MaxRequests: count("Most requests that are under way.", 1024),
  maxRequestsPerConnection: count("Requests after which a connection is closed.", 100, 0),
  maxRetries: count("Most retries that are under way.", 10),
  maxConcurrentStreams: count("Most streams that are under way on an HTTP/2 connection.", 100),
  idleTimeout: time("How long a connection without requests is kept.", "1h"),
  h2UpgradePolicy: key(z.enum(["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"]).optional(), {
    description: "Whether HTTP/1.1 goes to the destination as HTTP/2.",
    fallback: ISTIO,
    examples: ["UPGRADE"],
  }),
  useClientProtocol: flag("Whether the destination gets the protocol that the client has spoken."),
});

const connectionPool = z.strictObject({
  tcp: key(tcp.optional(), {
    description: "Limits of connections.",
    fallback: "none",
    examples: [{ maxConnections: 100, connectTimeout: "3s" }],
  }),
  http: key(http.optional(), {
    description: "Limits of requests.",
    fallback: "none",
    examples: [{ http2MaxRequests: 1024 }],
  }),
});

const outlierDetection = z.strictObject({
  consecutive5xxErrors: count("Failed requests in a row after which a pod is ejected.", 5, 0),
  consecutiveGatewayErrors: count("The same of status 502, 503 and 504 alone.", 5, 0),
  consecutiveLocalOriginFailures: count("The same of connections that failed.", 5),
  splitExternalLocalOriginErrors: flag(
    "Whether failed connections are counted apart from failed requests.",
  ),
  interval: time("Time between two sweeps.", "10s"),
  baseEjectionTime: time("How long a pod is ejected, times the number of its ejections.", "30s"),
  maxEjectionPercent: percent("Most of a version's pods that are ejected at once.", 10),
  minHealthPercent: percent("Share of healthy pods below which nothing is ejected.", 50),
});

const consistentHash = rule(
  rule(
    z.strictObject({
      httpHeaderName: name("Header whose value is hashed.", "x-user"),
      httpQueryParameterName: name("Query parameter whose value is hashed.", "user"),
      useSourceIp: flag("Whether the client's address is hashed."),
      httpCookie: key(
        z
          .strictObject({
            name: key(filled("session"), {
              description: "Name of the cookie.",
              examples: ["session"],
            }),
            path: name("Path of a cookie that is made.", "/"),
            ttl: time("How long a cookie that is made lives. Without it none is made.", "1h"),
          })
          .optional(),
        {
          description: "Cookie whose value is hashed.",
          fallback: "none",
          examples: [{ name: "session", ttl: "1h" }],
        },
      ),
      ringHash: key(
        z.strictObject({ minimumRingSize: count("Least size of the ring.", 1024) }).optional(),
        {
          description: "Hashes by a ring.",
          fallback: ISTIO,
          examples: [{ minimumRingSize: 1024 }],
        },
      ),
      maglev: key(
        z.strictObject({ tableSize: count("Size of the table, a prime.", 65537) }).optional(),
        { description: "Hashes by Maglev.", fallback: "none", examples: [{ tableSize: 65537 }] },
      ),
    }),
    ({ httpHeaderName, httpQueryParameterName, useSourceIp, httpCookie }) =>
      given(httpHeaderName, httpQueryParameterName, useSourceIp, httpCookie) === 1,
    "must name one thing that is hashed",
    "For example: {httpHeaderName: x-user}.",
  ),
  ({ ringHash, maglev }) => given(ringHash, maglev) < 2,
  "must have either ringHash or maglev",
  "Remove one of them.",
);

const shares = z.record(filled("region/zone/*"), whole(0, 100, "For example: 80."));

const localityLbSetting = rule(
  z.strictObject({
    enabled: flag("Whether requests prefer pods of their own locality."),
    distribute: key(
      z
        .array(
          z.strictObject({
            from: key(filled("region-1/zone-1/*"), {
              description: "Locality of the clients, as region/zone/subzone.",
              examples: ["region-1/*"],
            }),
            to: key(
              rule(
                shares,
                (to) => Object.values(to).reduce((sum, share) => sum + share, 0) === 100,
                "must be 100 together",
                'For example: {"region-1/*": 80, "region-2/*": 20}.',
              ),
              {
                description: "Percent of their requests by locality.",
                placeholder: "locality",
                examples: [{ "region-1/*": 80, "region-2/*": 20 }],
              },
            ),
          }),
        )
        .optional(),
      {
        description: "Which locality gets how many requests of which one.",
        fallback: "none",
        examples: [[{ from: "region-1/*", to: { "region-1/*": 80, "region-2/*": 20 } }]],
      },
    ),
    failover: key(
      z
        .array(
          z.strictObject({
            from: key(filled("region-1"), { description: "Region.", examples: ["region-1"] }),
            to: key(filled("region-2"), {
              description: "Region that takes its requests.",
              examples: ["region-2"],
            }),
          }),
        )
        .optional(),
      {
        description: "Which region takes the requests of one without healthy pods.",
        fallback: "any region",
        examples: [[{ from: "region-1", to: "region-2" }]],
      },
    ),
    failoverPriority: key(z.array(filled("topology.kubernetes.io/region")).optional(), {
      description: "Labels by which pods are preferred that have the client's value.",
      fallback: "none",
      examples: [["topology.istio.io/network", "topology.kubernetes.io/region"]],
    }),
  }),
  ({ distribute, failover, failoverPriority }) =>
    given(distribute) === 0 || given(failover, failoverPriority) === 0,
  "must have either distribute, or failover and failoverPriority",
  "Remove one of them.",
);

const loadBalancer = rule(
  rule(
    z.strictObject({
      simple: key(z.enum(["LEAST_REQUEST", "RANDOM", "ROUND_ROBIN"]).optional(), {
        description: "How a pod of a version is chosen.",
        fallback: ISTIO,
        examples: ["LEAST_REQUEST"],
      }),
      consistentHash: key(consistentHash.optional(), {
        description:
          "Sends requests with the same value to the same pod of a version. Which version it is, the weight decides before.",
        fallback: "none",
        examples: [{ httpHeaderName: "x-user" }],
      }),
      localityLbSetting: key(localityLbSetting.optional(), {
        description:
          "Which localities requests prefer. The client's cluster comes first where regions differ.",
        fallback: "the mesh's",
        examples: [{ failover: [{ from: "region-1", to: "region-2" }] }],
      }),
      warmup: key(
        z
          .strictObject({
            duration: key(duration("60s"), {
              description: "How long a new pod gets fewer requests.",
              examples: ["60s"],
            }),
            minimumPercent: key(number(0, 100, 10), {
              description: "Percent of its share at first.",
              fallback: ISTIO,
              examples: [10],
            }),
            aggression: key(number(1, 100, 1), {
              description: "How fast its share grows.",
              fallback: ISTIO,
              examples: [1],
            }),
          })
          .optional(),
        {
          description: "Gives new pods their share little by little.",
          fallback: "none",
          examples: [{ duration: "60s" }],
        },
      ),
    }),
    ({ simple, consistentHash: hash }) => given(simple, hash) < 2,
    "must have either simple or consistentHash",
    "Remove one of them.",
  ),
  ({ simple, consistentHash: hash, warmup }) =>
    warmup === undefined || (hash === undefined && simple !== "RANDOM"),
  "must have warmup with LEAST_REQUEST or ROUND_ROBIN alone: others do not know it",
  "Remove warmup, or choose one of these.",
);

/** What clients' proxies do on the way to a service's pods, in the words of Istio's DestinationRule. */
export const trafficPolicy = rule(
  z.strictObject({
    loadBalancer: key(loadBalancer.optional(), {
      description: "Which pod of a version gets a request.",
      fallback: ISTIO,
      examples: [{ simple: "LEAST_REQUEST" }],
    }),
    connectionPool: key(connectionPool.optional(), {
      description:
        "How many connections and requests each client's proxy makes at most. What exceeds it fails at once.",
      fallback: "Istio's defaults, which limit nothing in practice",
      examples: [{ tcp: { connectTimeout: "3s" }, http: { http2MaxRequests: 1024 } }],
    }),
    outlierDetection: key(outlierDetection.optional(), {
      description: "When a client's proxy sends a failing pod no requests for a while.",
      fallback: "never",
      examples: [{ consecutive5xxErrors: 5, interval: "10s", baseEjectionTime: "30s" }],
    }),
  }),
  ({ loadBalancer: chosen, outlierDetection: outliers }) =>
    outliers !== undefined ||
    given(chosen?.localityLbSetting?.failover, chosen?.localityLbSetting?.failoverPriority) === 0,
  "must have outlierDetection beside failover: without it no pod counts as failed, and nothing fails over",
  "For example: outlierDetection: {consecutive5xxErrors: 5}.",
);

/** Keys of Istio's TrafficPolicy that are not the user's to set, each with the reason. */
export const OWNED_POLICY_KEYS: Readonly<Record<string, string>> = {
  tls: "the program owns it: mutual TLS, and for other clusters the server name by which their gateways find a version",
  portLevelSettings:
    "it would replace the TLS settings that the program makes: what trafficPolicy says holds for all ports",
  tunnel: "it would lead requests past the versions",
  proxyProtocol: "the mesh's proxies do not expect it",
};
