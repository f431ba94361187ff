/* eslint-disable @typescript-eslint/no-deprecated -- Grafana before version 12 knows no other format of a dashboard's file. */
import {
  VizLegendOptionsBuilder,
  LegendDisplayMode,
  LegendPlacement,
} from "@grafana/grafana-foundation-sdk/common";
import {
  DashboardBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
  type Dashboard,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder } from "@grafana/grafana-foundation-sdk/timeseries";

/** One line of a panel for each series of a query. */
interface Query {
  readonly expr: string;
  /** In Grafana's words: `{{label}}`. */
  readonly legend: string;
}

interface Panel {
  readonly title: string;
  /** What it shows, and what is right. */
  readonly description: string;
  /** One of Grafana's units: `percentunit`, `reqps`, `ms`. */
  readonly unit: string;
  readonly queries: readonly Query[];
}

interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const DATASOURCE = { type: "prometheus", uid: "${datasource}" };

const SERVICE =
  'cluster=~"$cluster", destination_service_namespace=~"$namespace", destination_service_name=~"$service"';
const CLUSTER = 'cluster=~"$cluster"';
const VERSION = "{{destination_service_name}} {{destination_version}} in {{cluster}}";
const BY = "cluster, destination_service_namespace, destination_service_name, destination_version";

/** A line at 0 where there is nothing to count: Grafana would say that there is no data. */
const NONE = `0 * group by (cluster) (istio_canary:version:info{${SERVICE}})`;
/** Alerts about a release; those about the mesh have a dashboard of their own. */
const ALERTS = 'alertname=~"Canary.+|CallsReachNoPod|MarkLost|Release.+|Guard.+"';
/** Longer than the pause between two looks of a guard, in seconds. */
const WATCHES_WITHIN = 120;

const RELEASE: readonly Row[] = [
  {
    title: "Release",
    panels: [
      {
        title: "Weight of each canary",
        description:
          "What each cluster's API server has: a step is a phase, a fall to 0 a rollback. All lines of a canary lie together.",
        unit: "percentunit",
        queries: [
          {
            expr: `istio_canary:weight:ratio{${SERVICE}} and on (${BY}) istio_canary:version:info{role="canary"}`,
            legend: VERSION,
          },
        ],
      },
      {
        title: "Alerts of the release",
        description:
          "How many fire, by name. A guard lowers the canary for what its gates say, not for an alert.",
        unit: "none",
        queries: [
          {
            expr: `count by (cluster, alertname) (ALERTS{alertstate="firing", ${ALERTS}, ${CLUSTER}}) or ${NONE}`,
            legend: "{{alertname}} in {{cluster}}",
          },
        ],
      },
      {
        title: "What the gates say to the guards",
        description:
          "Looks at the gates each second, by what all of a cluster said together: pass, hold or fail. A stack without guards has none; what release rollout sees is in its events.",
        unit: "ops",
        queries: [
          {
            expr: `sum by (cluster, outcome) (rate(istio_canary_guard_gate_looks_total{${CLUSTER}}[$__rate_interval])) or ${NONE}`,
            legend: "{{outcome}} in {{cluster}}",
          },
        ],
      },
      {
        title: "Guards that watch",
        description:
          "Guards that have looked at a canary within two minutes, as the guard of each cluster knows. There should be one for each cluster, or none where a stack has no guards.",
        unit: "none",
        queries: [
          {
            expr: `count by (cluster, destination_service_name) (time() - max by (guard, ${BY}) (istio_canary_guard_last_look_timestamp_seconds{${SERVICE}}) < ${WATCHES_WITHIN}) or ${NONE}`,
            legend: "of {{destination_service_name}}, known in {{cluster}}",
          },
        ],
      },
    ],
  },
  {
    title: "Share",
    panels: [
      {
        title: "Share of each version against its weight",
        description:
          "What the clients of a cluster have asked for, by version, and the weight in that cluster's API server. Requests that ask for the canary by header or cookie count too. What follows the mark of a chain has no weight: its share is that of the chain's entries.",
        unit: "percentunit",
        queries: [
          { expr: `istio_canary:share:ratio{${SERVICE}}`, legend: VERSION },
          { expr: `istio_canary:weight:ratio{${SERVICE}}`, legend: `weight of ${VERSION}` },
        ],
      },
      {
        title: "Share of each version by the cluster that asked",
        description:
          "What arrived in a cluster, by the cluster it came from. All lines of a version lie together while the clusters' weights are the same. What follows the mark of a chain gets what its callers mark: its lines may lie apart.",
        unit: "percentunit",
        queries: [
          {
            expr: `istio_canary:arrivals_share:ratio{${SERVICE}}`,
            legend: `${VERSION}, from {{source_cluster}}`,
          },
        ],
      },
    ],
  },
  {
    title: "Errors and latency",
    panels: [
      {
        title: "5xx answers of each version",
        description: "The share of 5xx in the answers of a version's pods in a cluster.",
        unit: "percentunit",
        queries: [{ expr: `istio_canary:errors:ratio{${SERVICE}}`, legend: VERSION }],
      },
      {
        title: "Failed calls to each version",
        description:
          "The same as callers in a cluster see it, wherever the pods are: with timeouts and requests that were never answered.",
        unit: "percentunit",
        queries: [{ expr: `istio_canary:call_errors:ratio{${SERVICE}}`, legend: VERSION }],
      },
      {
        title: "Latency of each version, median",
        description: "How long the pods of a version take for half of their answers.",
        unit: "ms",
        queries: [{ expr: `istio_canary:latency_milliseconds:p50{${SERVICE}}`, legend: VERSION }],
      },
      {
        title: "Latency of each version, 99th percentile",
        description: "How long the pods of a version take for all but the slowest hundredth.",
        unit: "ms",
        queries: [{ expr: `istio_canary:latency_milliseconds:p99{${SERVICE}}`, legend: VERSION }],
      },
    ],
  },
  {
    title: "Requests",
    panels: [
      {
        title: "Requests to each version",
        description: "Requests that a version's pods in a cluster answer each second.",
        unit: "reqps",
        queries: [
          {
            expr: `sum by (${BY}) (rate(istio_requests_total{reporter="destination", ${SERVICE}}[$__rate_interval]))`,
            legend: VERSION,
          },
        ],
      },
      {
        title: "Answers by status",
        description: "Requests each second by the status of their answer. 0 is no answer.",
        unit: "reqps",
        queries: [
          {
            expr: `sum by (cluster, destination_version, response_code) (rate(istio_requests_total{reporter="destination", ${SERVICE}}[$__rate_interval]))`,
            legend: "{{response_code}} of {{destination_version}} in {{cluster}}",
          },
        ],
      },
    ],
  },
];

const MESH: readonly Row[] = [
  {
    title: "Traffic between clusters",
    panels: [
      {
        title: "Requests from cluster to cluster",
        description:
          "Requests each second by the cluster they come from and the one they are answered in. Between different clusters they pass the east-west gateway.",
        unit: "reqps",
        queries: [
          {
            expr: `sum by (source_cluster, destination_cluster) (rate(istio_requests_total{reporter="destination", ${CLUSTER}}[$__rate_interval]))`,
            legend: "{{source_cluster}} to {{destination_cluster}}",
          },
        ],
      },
      {
        title: "Requests over mutual TLS",
        description: "The share of requests that came over mutual TLS. In a strict mesh all do.",
        unit: "percentunit",
        queries: [
          {
            expr: `sum by (cluster) (rate(istio_requests_total{reporter="destination", connection_security_policy="mutual_tls", ${CLUSTER}}[$__rate_interval])) / sum by (cluster) (rate(istio_requests_total{reporter="destination", ${CLUSTER}}[$__rate_interval]))`,
            legend: "{{cluster}}",
          },
        ],
      },
    ],
  },
  {
    title: "Configuration",
    panels: [
      {
        title: "Time until proxies have a change, 99th percentile",
        description: "From a change in an API server until istiod has sent it to the proxies.",
        unit: "s",
        queries: [
          {
            expr: `histogram_quantile(0.99, sum by (cluster, le) (rate(pilot_proxy_convergence_time_bucket{${CLUSTER}}[$__rate_interval])))`,
            legend: "{{cluster}}",
          },
        ],
      },
      {
        title: "Configuration sent to proxies",
        description: "What istiod sends each second, by type.",
        unit: "ops",
        queries: [
          {
            expr: `sum by (cluster, type) (rate(pilot_xds_pushes{${CLUSTER}}[$__rate_interval]))`,
            legend: "{{type}} in {{cluster}}",
          },
        ],
      },
      {
        title: "Proxies connected to istiod",
        description:
          "Proxies that istiod serves, and proxies that have no connection to it: those keep old weights.",
        unit: "none",
        queries: [
          { expr: `sum by (cluster) (pilot_xds{${CLUSTER}})`, legend: "connected in {{cluster}}" },
          {
            expr: `count by (cluster) (envoy_cluster_upstream_cx_active{cluster_name="xds-grpc", ${CLUSTER}} == 0) or 0 * sum by (cluster) (pilot_xds{${CLUSTER}})`,
            legend: "not connected in {{cluster}}",
          },
        ],
      },
      {
        title: "Configuration rejected by proxies",
        description:
          "Updates of listeners and clusters that proxies have rejected. There should be none.",
        unit: "none",
        queries: [
          {
            expr: `sum by (cluster) (increase(envoy_listener_manager_lds_update_rejected{${CLUSTER}}[$__rate_interval]) + increase(envoy_cluster_manager_cds_update_rejected{${CLUSTER}}[$__rate_interval]))`,
            legend: "{{cluster}}",
          },
        ],
      },
      {
        title: "Other clusters that istiod has synced",
        description: "1 while a cluster's istiod knows the endpoints of another one.",
        unit: "none",
        queries: [
          {
            expr: `max by (cluster, exported_cluster) (istiod_remote_cluster_sync_status{cluster_type="remote", status="synced", ${CLUSTER}})`,
            legend: "{{exported_cluster}} in {{cluster}}",
          },
        ],
      },
    ],
  },
  {
    title: "Certificates",
    panels: [
      {
        title: "Certificate authorities expire in",
        description: "Time until the root and each cluster's intermediate expire.",
        unit: "s",
        queries: [
          {
            expr: `min by (cluster) (citadel_server_cert_chain_expiry_timestamp{${CLUSTER}}) - time()`,
            legend: "intermediate of {{cluster}}",
          },
          {
            expr: `min by (cluster) (citadel_server_root_cert_expiry_timestamp{${CLUSTER}}) - time()`,
            legend: "root in {{cluster}}",
          },
        ],
      },
      {
        title: "Next workload certificate expires in",
        description:
          "Time until the first certificate of a proxy expires. Proxies renew them at about half of their life.",
        unit: "s",
        queries: [
          {
            expr: `min by (cluster) (istio_agent_cert_expiry_seconds{${CLUSTER}})`,
            legend: "{{cluster}}",
          },
        ],
      },
    ],
  },
];

function panel({ title, description, unit, queries }: Panel, id: number): PanelBuilder {
  const built = new PanelBuilder()
    .id(id)
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .unit(unit)
    .min(0)
    .height(9)
    .span(12)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true),
    );
  if (unit === "percentunit") built.max(1);
  queries.forEach(({ expr, legend }, i) => {
    built.withTarget(
      new DataqueryBuilder()
        .datasource(DATASOURCE)
        .expr(expr)
        .legendFormat(legend)
        .range()
        .refId(String.fromCharCode("A".charCodeAt(0) + i)),
    );
  });
  return built;
}

function variable(name: string, label: string, metric: string, of: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(DATASOURCE)
    .query(`label_values(${metric}, ${of})`)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue(".*");
}

function dashboard(
  uid: string,
  title: string,
  description: string,
  rows: readonly Row[],
  variables: readonly QueryVariableBuilder[],
): Dashboard {
  const built = new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags(["istio", "canary"])
    .readonly()
    .refresh("30s")
    .time({ from: "now-1h", to: "now" })
    .timezone("browser")
    .annotations([])
    .withVariable(
      new DatasourceVariableBuilder("datasource").label("Data source").type("prometheus"),
    );
  for (const one of variables) built.withVariable(one);
  let id = 0;
  for (const { title: row, panels } of rows) {
    built.withRow(new RowBuilder(row).id(++id));
    for (const one of panels) built.withPanel(panel(one, ++id));
  }
  return built.build();
}

/** Every dashboard, by the name of its file in monitoring/dashboards. */
export function dashboardFiles(): Readonly<Record<string, Dashboard>> {
  const cluster = variable("cluster", "Cluster", "istiod_uptime_seconds", "cluster");
  const versions = "istio_canary:version:info";
  return {
    release: dashboard(
      "istio-canary-release",
      "Canary release",
      "How each version of a service does in each cluster, and whether it gets what it should.",
      RELEASE,
      [
        cluster,
        variable("namespace", "Namespace", versions, "destination_service_namespace"),
        variable("service", "Service", versions, "destination_service_name"),
      ],
    ),
    mesh: dashboard(
      "istio-canary-mesh",
      "Mesh of clusters",
      "Whether the clusters reach each other, follow istiod, and trust each other for long enough.",
      MESH,
      [cluster],
    ),
  };
}
