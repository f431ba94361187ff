import { dump } from "js-yaml";
import { withTargets, type Metrics } from "../../release/gates/counters.ts";
import {
  calledAs,
  countCalls,
  countRequests,
  readsProxies,
  type Counted,
} from "../../release/gates/queries.ts";

const counted: Counted = {
  cluster: "cluster-a",
  service: "user-service",
  namespace: "user",
  host: "user-service.user.svc.cluster.local",
  otherHosts: ["shop.example.com"],
  until: new Date(0),
  seconds: 300,
};
const ANSWERED = `reporter="destination",destination_cluster="cluster-a",destination_service="${counted.host}",destination_version="v2"`;
const CALLED = 'reporter="source",source_cluster="cluster-a",destination_version="unknown"';

/** A counter of one proxy with a sample each 15 s, as promtool wants it. */
const series = (labels: string, values: string) => ({
  series: `istio_requests_total{${labels}}`,
  values,
});
const answered = (instance: string, code: string, values: string, more = "") =>
  series(`${ANSWERED},response_code="${code}",instance="${instance}"${more}`, values);
const called = (host: string, namespace: string, values: string) =>
  series(
    `${CALLED},response_code="503",response_flags="NC",destination_service="${host}",source_workload_namespace="${namespace}"`,
    values,
  );
const bucket = (le: string, values: string) => ({
  series: `istio_request_duration_milliseconds_bucket{${ANSWERED},instance="10.0.0.1:15020",le="${le}"}`,
  values,
});

/** What the functions that count ask a Prometheus, which answers with one sample of these labels. */
async function queriesOf(
  labels: Readonly<Record<string, string>>,
  count: (metrics: Metrics) => Promise<unknown>,
): Promise<readonly string[]> {
  const asked: string[] = [];
  await count({
    query: (promql) => {
      asked.push(promql);
      return Promise.resolve([{ labels, value: 1 }]);
    },
  });
  return asked;
}

/** A test for `promtool test rules` of the queries by which gates count. */
export async function gateQueriesTest(): Promise<string> {
  const restarted = "10.0.0.1:15020";
  const [targets, resets] = await queriesOf({}, async (metrics) =>
    withTargets(metrics, counted, calledAs(counted)),
  );
  let ready = counted;
  await queriesOf({ odd: "x", instance: restarted }, async (metrics) => {
    ready = await withTargets(metrics, counted, calledAs(counted));
  });
  const [requests, latency] = await queriesOf({}, async (metrics) =>
    countRequests(metrics, ready, ["v2"], "500ms"),
  );
  const [calls] = await queriesOf({}, async (metrics) =>
    countCalls(metrics, counted, { stable: "v1", canary: "v2" }),
  );
  const [proxies] = await queriesOf({}, async (metrics) =>
    readsProxies(metrics, counted, ["v1", "v2"]),
  );
  const counts = {
    // 380 to 420, then 5 to 155.
    "200": 195,
    // Two proxies, one of them read four times.
    "500": 40,
    // A copy that has been read for a minute only.
    "501": 20,
    // A new series, which was never read before.
    "502": 3,
    // 128 to 132, then, after two minutes without the series, 3 to 12.
    "503": 16,
  };
  const version = 'destination_version="v2"';
  const expected: readonly (readonly [string | undefined, Readonly<Record<string, number>>])[] = [
    [targets, { '{odd="x"}': 1, "{}": 2 }],
    [resets, { [`{instance="${restarted}"}`]: 1 }],
    [
      requests,
      Object.fromEntries(
        Object.entries(counts).map(([code, value]) => [
          `{${version},response_code="${code}"}`,
          value,
        ]),
      ),
    ],
    [latency, { [`{${version},le="500.0"}`]: 40, [`{${version},le="+Inf"}`]: 60 }],
    [
      calls,
      Object.fromEntries(
        [
          ["user-service", "user"],
          ["user-service.user:80", "shop"],
          [counted.host, "shop"],
          ["shop.example.com", "istio-ingress"],
        ].map(([host, namespace]) => [
          `{destination_version="unknown",response_code="503",response_flags="NC",destination_service="${host}",source_workload_namespace="${namespace}"}`,
          20,
        ]),
      ),
    ],
    [proxies, { "{}": 1 }],
  ];
  return dump({
    rule_files: [],
    evaluation_interval: "15s",
    tests: [
      {
        interval: "15s",
        input_series: [
          answered(restarted, "200", "100+10x32 5+10x17"),
          answered(restarted, "503", "100+1x32 _x6 3+1x10"),
          answered("10.0.0.2:15020", "500", "0+1x60", ',job="istio-proxy"'),
          answered("10.0.0.2:15020", "500", "0+1x60", ',job="envoy-stats",replica="1"'),
          answered("10.0.0.2:15020", "500", "0+1x60", ',job="envoy-stats",replica="2"'),
          answered("10.0.0.2:15090", "500", "0+1x60", ',job="envoy-stats",odd="x"'),
          answered("10.0.0.3:15020", "500", "0+1x60"),
          answered("10.0.0.3:15020", "501", "0+1x60", ',replica="1"'),
          answered("10.0.0.3:15020", "501", "_x46 46+1x14", ',replica="2"'),
          answered("10.0.0.3:15020", "502", "_x46 1+1x14"),
          bucket("100", "0+1x60"),
          bucket("500.0", "0+2x60"),
          bucket("+Inf", "0+3x60"),
          called("user-service", "user", "0+1x60"),
          called("user-service.user:80", "shop", "0+1x60"),
          called(counted.host, "shop", "0+1x60"),
          called("shop.example.com", "istio-ingress", "0+1x60"),
          called("user-service.other", "shop", "0+1x60"),
          called("my-user-service", "user", "0+1x60"),
          { series: 'up{cluster="cluster-a",instance="10.0.0.2:15090",odd="x"}', values: "1x60" },
          {
            series:
              'up{cluster="cluster-a",namespace="user",pod="user-service-v2-5d9-x",instance="10.0.0.3:15020"}',
            values: "1x60",
          },
          {
            series:
              'up{cluster="cluster-a",namespace="user",pod="user-service-v1-5d9-x",instance="10.0.0.4:15020"}',
            values: "0x60",
          },
        ],
        promql_expr_test: expected.map(([expr, samples]) => ({
          expr,
          eval_time: "12m",
          exp_samples: Object.entries(samples).map(([labels, value]) => ({ labels, value })),
        })),
      },
    ],
  });
}
