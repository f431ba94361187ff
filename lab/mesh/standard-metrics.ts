/**
 * Stands in for Istio's own telemetry filters, which Envoy's own release lacks: makes every proxy count
 * `istio_requests_total` and `istio_request_duration_milliseconds` with Istio's standard labels, by what
 * plain Envoy has (its stats access logger, Lua, header mutation), as one EnvoyFilter.
 *
 * It leaves out the metrics of TCP, sizes and gRPC status, the labels `*_canonical_revision`, and a
 * peer's label `app`, which is filled with its canonical name. Envoy exposes the names with the prefix
 * `envoy_`. It must not be installed beside Istio's own build of Envoy: that would count twice.
 */
import type { KubernetesObject } from "@kubernetes/client-node";
import { SYSTEM_NAMESPACE } from "../../lib/names.ts";

/** By which proxies tell each other who they are, as Istio's do with x-envoy-peer-metadata. */
const HEADER = "x-lab-peer-metadata";
/** Where the peer's fields are kept while a request lasts. */
const METADATA = "lab.peer";
const FIELDS = ["workload", "namespace", "canonical_service", "version", "cluster"] as const;
type Field = (typeof FIELDS)[number];

const cel = (expression: string): string => `%CEL(${expression})%`;
const LABELS = "xds.node.metadata['LABELS']";
const ownLabel = (name: string) => cel(`'${name}' in ${LABELS} ? ${LABELS}['${name}'] : 'unknown'`);

const own: Readonly<Record<Field, string>> = {
  workload: "%ENVIRONMENT(ISTIO_META_WORKLOAD_NAME)%",
  namespace: "%ENVIRONMENT(POD_NAMESPACE)%",
  canonical_service: ownLabel("service.istio.io/canonical-name"),
  version: ownLabel("version"),
  cluster: "%ENVIRONMENT(ISTIO_META_CLUSTER_ID)%",
};
const peer = (field: Field) => `%DYNAMIC_METADATA(${METADATA}:${field})%`;

const CLUSTER = "xds.cluster_metadata.filter_metadata";
/** Without a route or a cluster, Istio knows the service only by the name that the client has called. */
const service = (field: "host" | "name" | "namespace", otherwise: string) =>
  cel(
    `has(xds.cluster_metadata) && 'istio' in ${CLUSTER} && 'services' in ${CLUSTER}['istio'] ? ${CLUSTER}['istio']['services'][0]['${field}'] : ${otherwise}`,
  );

/** One side's labels. */
function side(name: "source" | "destination", of: Record<Field, string>, principal: string) {
  return {
    [`${name}_workload`]: of.workload,
    [`${name}_workload_namespace`]: of.namespace,
    [`${name}_canonical_service`]: of.canonical_service,
    [`${name}_version`]: of.version,
    [`${name}_cluster`]: of.cluster,
    [`${name}_principal`]: principal,
  };
}

const peers = Object.fromEntries(FIELDS.map((field) => [field, peer(field)])) as Record<
  Field,
  string
>;
const principal = (attribute: string) => cel(`has(${attribute}) ? ${attribute} : 'unknown'`);
const mutual = (attribute: string) => cel(`connection.mtls ? ${attribute} : 'unknown'`);

const labels = {
  destination: {
    reporter: "destination",
    ...side("source", peers, mutual("connection.uri_san_peer_certificate")),
    source_app: peer("canonical_service"),
    ...side("destination", own, mutual("connection.uri_san_local_certificate")),
    destination_app: ownLabel("app"),
    connection_security_policy: cel("connection.mtls ? 'mutual_tls' : 'none'"),
  },
  source: {
    reporter: "source",
    ...side("source", own, principal("upstream.uri_san_local_certificate")),
    source_app: ownLabel("app"),
    // What a peer has not told is unknown, also the version of a request that no pod has answered.
    ...side("destination", peers, principal("upstream.uri_san_peer_certificate")),
    destination_app: peer("canonical_service"),
    connection_security_policy: "unknown",
  },
};

function statsLog(reporter: keyof typeof labels) {
  const tags = Object.entries({
    ...labels[reporter],
    destination_service: service("host", "request.host"),
    destination_service_name: service("name", "request.host"),
    destination_service_namespace: service("namespace", "'unknown'"),
    request_protocol: cel(
      "'content-type' in request.headers && request.headers['content-type'].startsWith('application/grpc') ? 'grpc' : 'http'",
    ),
    response_code: "%RESPONSE_CODE%",
    response_flags: "%RESPONSE_FLAGS%",
  }).map(([name, value_format]) => ({ name, value_format }));
  return {
    name: "envoy.access_loggers.stats",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.access_loggers.stats.v3.Config",
      // Shared, so that the counters outlive a new listener; bounded, so that labels cannot fill memory.
      stats_scope: {
        prefix: "istio",
        sharing_name: "lab-standard-metrics",
        max_counters: 2000,
        max_histograms: 2000,
      },
      counters: [{ stat: { name: "requests_total", tags }, value_fixed: 1 }],
      histograms: [
        {
          stat: { name: "request_duration_milliseconds", tags },
          unit: "Milliseconds",
          value_format: "%DURATION%",
        },
      ],
    },
  };
}

const REMEMBER = `
local header = "${HEADER}"
local metadata_name = "${METADATA}"
local fields = {${FIELDS.map((field) => `"${field}"`).join(", ")}}
local function remember(handle, value)
  local metadata = handle:streamInfo():dynamicMetadata()
  local next_value = string.gmatch((value or "") .. ";", "([^;]*);")
  for _, field in ipairs(fields) do
    local text = next_value()
    if text == nil or text == "" or text == "-" then text = "unknown" end
    metadata:set(metadata_name, field, text)
  end
end
`;

/** Whoever calls without mTLS is believed nothing; only who has told its own name is told ours. */
const INBOUND = `${REMEMBER}
function envoy_on_request(handle)
  local value = handle:headers():get(header)
  local mutual = handle:streamInfo():downstreamSslConnection() ~= nil
  remember(handle, mutual and value or nil)
  handle:streamInfo():dynamicMetadata():set(metadata_name, "asked", value ~= nil)
  handle:headers():remove(header)
end
function envoy_on_response(handle)
  local metadata = handle:streamInfo():dynamicMetadata():get(metadata_name)
  if metadata == nil or not metadata["asked"] then handle:headers():remove(header) end
end
`;

const OUTBOUND = `${REMEMBER}
function envoy_on_request(handle)
  remember(handle, nil)
end
function envoy_on_response(handle)
  local value = handle:headers():get(header)
  if value ~= nil then
    remember(handle, value)
    handle:headers():remove(header)
  end
end
`;

/** The three changes to one kind of listener's HTTP connection manager. */
function patches(
  context: "SIDECAR_INBOUND" | "SIDECAR_OUTBOUND" | "GATEWAY",
  reporter: keyof typeof labels,
) {
  const manager = "envoy.filters.network.http_connection_manager";
  const match = { context, listener: { filterChain: { filter: { name: manager } } } };
  const first = (name: string, filter: string, config: object) => ({
    applyTo: "HTTP_FILTER",
    match,
    patch: {
      operation: "INSERT_FIRST",
      value: {
        name,
        typed_config: {
          "@type": `type.googleapis.com/envoy.extensions.filters.http.${filter}`,
          ...config,
        },
      },
    },
  });
  const introduce = {
    append: {
      header: { key: HEADER, value: FIELDS.map((field) => own[field]).join(";") },
      append_action: "OVERWRITE_IF_EXISTS_OR_ADD",
    },
  };
  const inbound = reporter === "destination";
  return [
    first("lab.introduce", "header_mutation.v3.HeaderMutation", {
      mutations: { [inbound ? "response_mutations" : "request_mutations"]: [introduce] },
    }),
    // Goes before the other one, so that on the way back it comes after it.
    first("lab.peer", "lua.v3.Lua", {
      default_source_code: { inline_string: inbound ? INBOUND : OUTBOUND },
    }),
    {
      applyTo: "NETWORK_FILTER",
      match,
      patch: {
        operation: "MERGE",
        value: {
          typed_config: {
            "@type": `type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
            access_log: [statsLog(reporter)],
          },
        },
      },
    },
  ];
}

/** The EnvoyFilter, for every proxy of a cluster. It comes with the lab's east-west gateways. */
export const standardMetrics: KubernetesObject & { readonly spec: unknown } = {
  apiVersion: "networking.istio.io/v1alpha3",
  kind: "EnvoyFilter",
  metadata: { name: "lab-standard-metrics", namespace: SYSTEM_NAMESPACE },
  spec: {
    configPatches: [
      ...patches("SIDECAR_INBOUND", "destination"),
      ...patches("SIDECAR_OUTBOUND", "source"),
      ...patches("GATEWAY", "source"),
    ],
  },
};
