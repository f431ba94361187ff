/** Where a cluster's metrics are read. */
export interface Metrics {
  /**
   * Runs an instant query, as of now or of an earlier time.
   *
   * @throws if there is no answer, or only a part of one
   */
  query(promql: string, at?: Date): Promise<readonly MetricSample[]>;
}

/** One series of an answer. */
interface MetricSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A stretch of time in which the counters of one cluster's Prometheus are read. */
export interface Stretch {
  readonly cluster: string;
  /** When counting ends, and how many seconds before it begins. */
  readonly until: Date;
  readonly seconds: number;
  /** Labels that tell the copies of a series apart which are read more than once. @default the usual ones */
  readonly copyLabels?: readonly string[] | undefined;
  /** Proxies that were started anew, by the label `instance`. @default none was */
  readonly restarted?: readonly string[] | undefined;
}

/** How far before its begin the last sample of a counter is looked for, in seconds and for Prometheus. */
const LOOKBACK_S = 300;
const LOOKBACK = `${LOOKBACK_S / 60}m`;
/** Pods are read no more often, in seconds. */
const STEP_S = 5;
/**
 * How long a series may be gone after a restart. One that comes back later counts from there: its counts
 * from before the restart are lost. So is, of any series, what it counts between the last reading and the restart.
 */
const GONE = "1h";

/** Labels that Prometheus and its operator give a target, and pairs of them each other's samples. */
const COPY_LABELS = [
  "job",
  "instance",
  "namespace",
  "pod",
  "pod_name",
  "container",
  "endpoint",
  "node",
  "cluster",
  "prometheus",
  "prometheus_replica",
  "replica",
];
/** Labels of Istio's standard metrics: whoever reads them twice, these tell different series apart. */
const ISTIO_LABEL =
  /^(?:reporter|(?:source|destination|request|response)_.+|connection_security_policy|grpc_response_status|le|__name__)$/;

/**
 * One sample for each proxy and series, however often it is read: by two monitors, or by a pair of
 * Prometheuses. A proxy is known by the host of its `instance`, whichever port is read.
 */
function once(expression: string, copyLabels: readonly string[]): string {
  const byPod = `label_replace(${expression}, "proxy", "$1", "pod", "(.+)")`;
  const proxy = `label_replace(${byPod}, "proxy", "$1", "instance", "(.+?)(:[0-9]+)?")`;
  return `max without (${copyLabels.join(", ")}) (${proxy})`;
}

/** RE2 for one of several texts, inside a PromQL string. */
export function oneOf(texts: readonly string[]): string {
  return texts.map((text) => text.replaceAll(/[^\w-]/g, (sign) => `[${sign}]`)).join("|");
}

/**
 * How much counters have risen, as whole numbers: unlike `increase`, it neither extrapolates nor misses
 * the first request of a series that is new. What a counter had before a restart of its proxy is added.
 *
 * @param matchers of the metric's labels
 */
export function risen(metric: string, matchers: string, stretch: Stretch): string {
  const { seconds, copyLabels = COPY_LABELS, restarted = [] } = stretch;
  const series = `${metric}{${matchers}}`;
  const last = `last_over_time(${series}[${seconds}s])`;
  const before = `last_over_time(${series}[${LOOKBACK}] offset ${seconds}s)`;
  let now = last;
  if (restarted.length > 0) {
    const theirs = `${metric}{${matchers},instance=~"${oneOf(restarted)}"}`;
    const lost = `sum_over_time((last_over_time(${theirs}[${GONE}] offset ${STEP_S}s) > ${theirs})[${seconds}s:${STEP_S}s])`;
    now = `((${last} + ${lost}) or ${last})`;
  }
  // Of copies the one counts that was read before the stretch too; a new one may have missed its begin.
  return `(${once(`((${now} - ${before}) >= 0)`, copyLabels)} or ${once(now, copyLabels)})`;
}

/**
 * What has to be known of a Prometheus before its counters are read.
 *
 * @param matchers of the requests that are counted
 */
export async function withTargets<T extends Stretch>(
  metrics: Metrics,
  stretch: T,
  matchers: string,
): Promise<T> {
  const { cluster, seconds, until } = stretch;
  if (seconds < 1) return stretch;
  const [targets, restarts] = await Promise.all([
    metrics.query(`count without (${COPY_LABELS.join(", ")}) (up{cluster="${cluster}"})`, until),
    metrics.query(
      `max by (instance) (resets(istio_requests_total{${matchers}}[${seconds + LOOKBACK_S}s])) > 0`,
      until,
    ),
  ]);
  const others = targets.flatMap(({ labels }) => Object.keys(labels));
  return {
    ...stretch,
    copyLabels: [...new Set([...COPY_LABELS, ...others.filter((each) => !ISTIO_LABEL.test(each))])],
    restarted: restarts.flatMap(({ labels }) => labels["instance"] ?? []),
  };
}

/**
 * The part of a stretch of time of which a Prometheus has samples. One that was restarted without what it
 * had knows no value before, from which a counter has risen.
 *
 * @param settleMs time in which it reads every target
 */
export async function withSamples<T extends Stretch>(
  metrics: Metrics,
  stretch: T,
  settleMs: number,
): Promise<T> {
  const up = `up{cluster="${stretch.cluster}"}`;
  const [before] = await metrics.query(
    `count(last_over_time(${up}[${LOOKBACK}] offset ${stretch.seconds}s))`,
    stretch.until,
  );
  if (before) return stretch;
  const [age] = await metrics.query(
    `time() - min(min_over_time(timestamp(${up})[${stretch.seconds}s:${STEP_S}s]))`,
    stretch.until,
  );
  return { ...stretch, seconds: Math.floor((age?.value ?? 0) - settleMs / 1000) };
}
