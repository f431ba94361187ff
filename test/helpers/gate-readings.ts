import type { Phase } from "../../release/gates/readings.ts";
import { gatesOf } from "../../release/gates/verdict.ts";
import { BUILT_IN_GATES } from "../../stacks/schema/gates.ts";
import { schema } from "../../stacks/schema.ts";
import { bucket, FakeMetrics, hasSamples, requests } from "./metrics.ts";

/** The service that tests of gates judge. */
export const judged = {
  service: "user-service",
  namespace: "user",
  host: "user-service.user.svc.cluster.local",
  stable: "v1",
  canary: "v2",
};

/** When the phase of those tests began. */
export const T0 = Date.UTC(2026, 0, 1);

/** The phase: 300 s of it count. */
export const phase: Phase = {
  weight: 10,
  since: T0,
  now: T0 + 330_000,
  settleMs: 30_000,
  beforeMs: 600_000,
};

type BuiltInGate = (typeof BUILT_IN_GATES)[number];

/** The names of all built-in gates but those given, in the order in which they are shown. */
export function builtInGatesBut(...names: readonly BuiltInGate[]): readonly BuiltInGate[] {
  return BUILT_IN_GATES.filter((name) => !names.includes(name));
}

const query = {
  name: "checkout",
  bad: 'sum(increase(bad{version="{{version}}",namespace="{{namespace}}"}[{{window}}]))',
  all: "sum(increase(all_of_{{version}}_in_{{cluster}}[{{window}}]))",
};
const config = schema.rollout.parse({ gates: { queries: [query] } }).gates;

/** All built-in gates, and one by a query of one's own. */
export const gateSettings = { config, gates: gatesOf(config) };

type Answers = ConstructorParameters<typeof FakeMetrics>[0];

/**
 * A Prometheus that knows counts for each of these gates.
 *
 * @param known what it says of its own samples. @default it has some of the whole phase
 */
export function fullMetrics(known: Answers = [hasSamples]): FakeMetrics {
  return new FakeMetrics([
    ...known,
    [
      "istio_requests_total",
      [
        requests("v1", "200", 895),
        requests("v1", "503", 5),
        requests("v2", "200", 70),
        requests("v2", "404", 2),
        requests("v2", "500", 25),
        requests("v2", "503", 3),
      ],
    ],
    [
      "istio_request_duration_milliseconds_bucket",
      [
        bucket("v1", "500.0", 890),
        bucket("v1", "+Inf", 900),
        bucket("v2", "500", 96),
        bucket("v2", "+Inf", 100),
      ],
    ],
    ["bad{", [{ labels: {}, value: 2.0000001 }]],
    ["all_of_", [{ labels: {}, value: 50 }]],
  ]);
}
