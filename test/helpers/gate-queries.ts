import { dump } from "js-yaml";
import { risen, withTargets, type Metrics, type Stretch } from "../../release/gates/counters.ts";

const HOST = "user-service.user.svc.cluster.local";
const MATCHERS = `reporter="destination",destination_service="${HOST}"`;

/** A counter of one proxy with a sample each 15 s, as promtool wants it. */
function series(instance: string, code: string, values: string, more = "") {
  const labels = `${MATCHERS},destination_version="v2",response_code="${code}",instance="${instance}"${more}`;
  return { series: `istio_requests_total{${labels}}`, values };
}

/** A test for `promtool test rules` of the queries by which gates count. */
export async function gateQueriesTest(): Promise<string> {
  const stretch: Stretch = { cluster: "cluster-a", until: new Date(0), seconds: 300 };
  const asked: string[] = [];
  const answers: Metrics = {
    query: (promql) => {
      asked.push(promql);
      const labels = promql.includes("resets") ? { instance: "10.0.0.1:15020" } : { odd: "x" };
      return Promise.resolve([{ labels, value: 1 }]);
    },
  };
  const ready = await withTargets(answers, stretch, MATCHERS);
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
  const expected = [
    {
      expr: `sum by (response_code) (${risen("istio_requests_total", MATCHERS, ready)})`,
      exp_samples: Object.entries(counts).map(([code, value]) => ({
        labels: `{response_code="${code}"}`,
        value,
      })),
    },
    {
      expr: asked.find((promql) => promql.includes("resets")),
      exp_samples: [{ labels: '{instance="10.0.0.1:15020"}', value: 1 }],
    },
    {
      expr: asked.find((promql) => promql.includes("up{")),
      exp_samples: [{ labels: '{odd="x"}', value: 1 }],
    },
  ];
  return dump({
    rule_files: [],
    evaluation_interval: "15s",
    tests: [
      {
        interval: "15s",
        input_series: [
          series("10.0.0.1:15020", "200", "100+10x32 5+10x17"),
          series("10.0.0.1:15020", "503", "100+1x32 _x6 3+1x10"),
          series("10.0.0.2:15020", "500", "0+1x60", ',job="istio-proxy"'),
          series("10.0.0.2:15020", "500", "0+1x60", ',job="envoy-stats",replica="1"'),
          series("10.0.0.2:15020", "500", "0+1x60", ',job="envoy-stats",replica="2"'),
          series("10.0.0.2:15090", "500", "0+1x60", ',job="envoy-stats",odd="x"'),
          series("10.0.0.3:15020", "500", "0+1x60"),
          series("10.0.0.3:15020", "501", "0+1x60", ',replica="1"'),
          series("10.0.0.3:15020", "501", "_x46 46+1x14", ',replica="2"'),
          series("10.0.0.3:15020", "502", "_x46 1+1x14"),
          { series: 'up{cluster="cluster-a",instance="10.0.0.2:15090",odd="x"}', values: "1x60" },
        ],
        promql_expr_test: expected.map((each) => ({ ...each, eval_time: "12m" })),
      },
    ],
  });
}
