import { autoscalingMutants } from "./autoscaling-mutants.ts";
import { awayMutants } from "./away-mutants.ts";
import { drainMutants } from "./drain-mutants.ts";
import { chainMutants } from "./chain-mutants.ts";
import { cloudMutants } from "./cloud-mutants.ts";
import { existingIstioMutants } from "./existing-istio-mutants.ts";
import { upgradeMutants } from "./upgrade-mutants.ts";
import { controllerMutants } from "./controller-mutants.ts";
import { existingMutants } from "./existing-mutants.ts";
import { failoverMutants } from "./failover-mutants.ts";
import { fleetMutants } from "./fleet-mutants.ts";
import { gitMutants } from "./git-mutants.ts";
import { requiresMutants } from "./requires-mutants.ts";
import { leftOutMutants } from "./left-out-mutants.ts";
import { guardMutants } from "./guard-mutants.ts";
import { helmMutants } from "./helm-mutants.ts";
import { handOverMutants } from "./hand-over-mutants.ts";
import { ingressMutants } from "./ingress-mutants.ts";
import { meshMutants } from "./mesh-mutants.ts";
import { protocolMutants } from "./protocol-mutants.ts";
import { takenBackMutants } from "./taken-back-mutants.ts";
import { versionConfigMutants } from "./version-config-mutants.ts";
import { versionNameMutants } from "./version-name-mutants.ts";
import { workloadMutants } from "./workload-mutants.ts";

/** One thing taken out of the program, and the unit tests that must then fail. */
export interface Mutant {
  /** What is removed, as a person would say it. */
  readonly removes: string;
  readonly file: string;
  /** A text that is in the file exactly once. */
  readonly text: string;
  readonly replacement: string;
  /** Test files or folders to run. */
  readonly tests: readonly string[];
}

const fleet = ["test/unit/fleet", "test/unit/lib/protocol.test.ts"];
const change = ["test/unit/stacks/weight-change.test.ts"];
const rules = ["test/unit/lib/release-rules.test.ts"];
const rollout = [
  "test/unit/release/planner.test.ts",
  "test/unit/release/update-weight.test.ts",
  "test/unit/release/gates",
];
const program = ["test/unit/stacks/program.test.ts", "test/unit/stacks/index.test.ts"];

export const mutants: readonly Mutant[] = [
  ...autoscalingMutants,
  ...awayMutants,
  ...drainMutants,
  ...chainMutants,
  ...cloudMutants,
  ...controllerMutants,
  ...existingMutants,
  ...existingIstioMutants,
  ...upgradeMutants,
  ...failoverMutants,
  ...fleetMutants,
  ...gitMutants,
  ...requiresMutants,
  ...leftOutMutants,
  ...guardMutants,
  ...helmMutants,
  ...handOverMutants,
  ...ingressMutants,
  ...meshMutants,
  ...protocolMutants,
  ...takenBackMutants,
  ...versionConfigMutants,
  ...versionNameMutants,
  ...workloadMutants,
  {
    removes: "the barrier: one cluster's refusal stops all",
    file: "lib/protocol.ts",
    text: `return allDone ? go("writing", all) : go("refused");`,
    replacement: `return go("writing", all);`,
    tests: fleet,
  },
  {
    removes: "a check that throws counts as a no",
    file: "fleet/checks/index.ts",
    text: "return [{ line, mayHeal: !isFinal(error) }];",
    replacement: "void line;\n        return [];",
    tests: fleet,
  },
  {
    removes: "the bound of a check",
    file: "fleet/checks/index.ts",
    text: "await within(withinMs, run(context), late)",
    replacement: "await run(context)",
    tests: fleet,
  },
  {
    removes: "the compensation after a refused write",
    file: "lib/protocol.ts",
    text: `return changed.length > 0 ? go("restoring", changed) : go("refused");`,
    replacement: `return go("refused");`,
    tests: fleet,
  },
  {
    removes: "the compensation after an Envoy that does not follow",
    file: "lib/protocol.ts",
    text: `return allDone ? go("raised") : go("restoring", all);`,
    replacement: `return go("raised");`,
    tests: fleet,
  },
  {
    removes: "the confirmation",
    file: "lib/protocol.ts",
    text: `if (allDone) return go("confirming", all);`,
    replacement: `if (allDone) return go("raised");`,
    tests: fleet,
  },
  {
    removes: "the doubt about a write without an answer",
    file: "lib/protocol.ts",
    text: `outcome === "unsure" ? "unsure" : "old"`,
    replacement: `"old"`,
    tests: fleet,
  },
  {
    removes: "an Envoy that serves another weight is late",
    file: "fleet/confirm.ts",
    text: "if (served !== weight) return",
    replacement: "if (served > 100) return",
    tests: fleet,
  },
  {
    removes: "an Envoy that does not answer is late",
    file: "fleet/ask-pods.ts",
    text: "else silent.push(result);",
    replacement: "else void result;",
    tests: fleet,
  },
  {
    removes: "a pod that is gone is not missed",
    file: "fleet/ask-pods.ts",
    text: "silent.filter(({ pod }) => there.has(podIdentity(pod)))",
    replacement: "silent.filter(({ pod }) => there.has(podIdentity(pod)) || true)",
    tests: fleet,
  },
  {
    removes: "who has confirmed is remembered",
    file: "fleet/ask-fleet.ts",
    text: "if (known !== undefined) return known;",
    replacement: "",
    tests: fleet,
  },
  {
    removes: "an Envoy that is behind counts though it is not ready any more",
    file: "fleet/confirm-every.ts",
    text: " || behind.has(proxyIdentity(pod))",
    replacement: "",
    tests: fleet,
  },
  {
    removes: "one Envoy that does not answer keeps no other from being asked again",
    file: "fleet/confirm-every.ts",
    text: "Math.min(ANSWER_WITHIN_MS, timeoutMs / ROUNDS)",
    replacement: "ANSWER_WITHIN_MS",
    tests: fleet,
  },
  {
    removes: "a restarted proxy must confirm again",
    file: "fleet/proxy-pod.ts",
    text: "${proxy?.restartCount ?? 0}",
    replacement: "${proxy?.name ?? 0}",
    tests: fleet,
  },
  {
    removes: "what may heal is looked at again",
    file: "fleet/checks/look-again.ts",
    text: "if (objections.length > 0 && objections.every(({ mayHeal }) => mayHeal)) {",
    replacement: "if (objections.length > 99) {",
    tests: fleet,
  },
  {
    removes: "what cannot heal is refused at once",
    file: "fleet/checks/look-again.ts",
    text: "objections.every(({ mayHeal }) => mayHeal)",
    replacement: "objections.every(({ line }) => line)",
    tests: fleet,
  },
  {
    removes: "what has not healed in time is refused",
    file: "fleet/checks/look-again.ts",
    text: "    if (!last) throw error;\n    return last;",
    replacement: "    if (!last) throw error;\n    return new Map();",
    tests: fleet,
  },
  {
    removes: "one cluster: the first is not written to",
    file: "fleet/raise-weights.ts",
    text: `    clusters.map(({ name }) => name),
    actions,`,
    replacement: `    clusters.slice(1).map(({ name }) => name),
    actions,`,
    tests: fleet,
  },
  {
    removes: "a write replaces only the state that was checked",
    file: "fleet/raise-weights.ts",
    text: "replacing: change.route.resourceVersion",
    replacement: "replacing: undefined",
    tests: fleet,
  },
  {
    removes: "what somebody has lowered meanwhile stays",
    file: "fleet/raise-weights.ts",
    text: "if (!fence && shareOf(now, rise.canary) !== rise.weight) return;",
    replacement: "",
    tests: fleet,
  },
  {
    removes: "Pulumi does not write a weight that somebody has lowered since the plan",
    file: "stacks/lowered-since.ts",
    text: "if (share < weight) {",
    replacement: "if (share > weight) {",
    tests: ["test/unit/stacks/lowered-since.test.ts"],
  },
  {
    removes: "a change that Pulumi's write has replaced lowers the canary",
    file: "stacks/lowered-since.ts",
    text: "if (now === undefined || now.generation <= before + 1) return;",
    replacement: "if (now === undefined || now.generation >= before) return;",
    tests: ["test/unit/stacks/lowered-since.test.ts"],
  },
  {
    removes: "a write without an answer is fenced off",
    file: "fleet/raise-weights.ts",
    text: "now.resourceVersion === change.route.resourceVersion;",
    replacement: "false;",
    tests: fleet,
  },
  {
    removes: "routes changed since the update began are noticed",
    file: "fleet/checks/unchanged.ts",
    text: "before === undefined || before === now",
    replacement: "before === undefined || before === now || before !== now",
    tests: fleet,
  },
  {
    removes: "a route whose object has lost its labels is still read",
    file: "fleet/routing/istio/read-routes.ts",
    text: ".filter((name) => !keys.has(serviceKey(name)))",
    replacement: ".filter((name) => !keys.has(serviceKey(name)) && services.length === 1)",
    tests: ["test/unit/fleet/read-deployed.test.ts"],
  },
  {
    removes: "lists are read to their last page",
    file: "fleet/pages.ts",
    text: "while (next !== undefined)",
    replacement: 'while (next === "")',
    tests: ["test/unit/fleet/read-deployed.test.ts"],
  },
  {
    removes: "down is free: it waits for the checks",
    file: "stacks/weight-change.ts",
    text: 'return { afterUpdate: [() => this.#once("lowered", () => this.#confirmations.lowered())] };',
    replacement: "return { beforeUpdate: [() => this.#raise()] };",
    tests: change,
  },
  {
    removes: "down at once, before anything is registered",
    file: "stacks/weight-change.ts",
    text: "await early.#lower()",
    replacement: "new Map<string, string>()",
    tests: change,
  },
  {
    removes: "a cluster that cannot be lowered fails the command",
    file: "stacks/weight-change.ts",
    text: "change.#stopIfIncomplete(deployed, failed);",
    replacement: "void failed;",
    tests: change,
  },
  {
    removes: "a cluster that fails keeps no other from falling",
    file: "fleet/lower.ts",
    text: "return [[cluster.name, explain(error)] as const];",
    replacement: "throw new Error(explain(error));",
    tests: fleet,
  },
  {
    removes: "a failed rise fails the command",
    file: "stacks/weight-change.ts",
    text: "throw new Error(text);",
    replacement: "void raised;",
    tests: change,
  },
  {
    removes: "Envoys that do not follow a fall fail the command",
    file: "stacks/weight-confirmations.ts",
    text: "if (late.length > 0) {\n      throw new Error(\n        [\n          `The weight is",
    replacement:
      "if (late.length > 99) {\n      throw new Error(\n        [\n          `The weight is",
    tests: change,
  },
  {
    removes: "all clusters rise by one hook",
    file: "stacks/weight-change.ts",
    text: "const running = this.#running.get(which);",
    replacement: 'const running = which === "raised" ? undefined : this.#running.get(which);',
    tests: change,
  },
  {
    removes: "one phase at a time",
    file: "lib/release-rules.ts",
    text: 'return weight === next || allow.includes("skip-phase")',
    replacement: 'return weight >= 0 || weight === next || allow.includes("skip-phase")',
    tests: rules,
  },
  {
    removes: "nothing rises while a cluster cannot be reached",
    file: "lib/release-rules.ts",
    text: "if (away.length === 0) return [];",
    replacement: "if (away.length >= 0) return [];",
    tests: rules,
  },
  {
    removes: "order: DestinationRules of all clusters before the weights",
    file: "stacks/release.ts",
    text: "...released.flatMap((each) => each.rules),",
    replacement: "",
    tests: program,
  },
  {
    removes: "order: Deployments of all clusters before the rules",
    file: "stacks/release.ts",
    text: `        import: weights.import,
      },
      { providers: { kubernetes: cluster.provider }, dependsOn: [...pods] },`,
    replacement: `        import: weights.import,
      },
      { providers: { kubernetes: cluster.provider } },`,
    tests: program,
  },
  {
    removes: "a new service begins at weight 0",
    file: "lib/release-rules.ts",
    text: 'return weight === 0 || allow.includes("skip-phase")',
    replacement: 'return weight >= 0 || allow.includes("skip-phase")',
    tests: ["test/unit/lib/release-rules.test.ts"],
  },
  {
    removes: "what hides the service's own route on a gateway counts",
    file: "fleet/routing/istio/envoy.ts",
    text: "own[j] === true && hides(route, each)",
    replacement: "own[j] === true && j < 0",
    tests: ["test/unit/fleet/routing/istio/envoy.test.ts"],
  },
  {
    removes: "others' routes by a path take no raise back",
    file: "fleet/routing/istio/envoy.ts",
    text: '(match.prefix ?? "/") === "/" &&',
    replacement: '(match.prefix ?? "/") !== "" &&',
    tests: ["test/unit/fleet/routing/istio/envoy.test.ts"],
  },
  {
    removes: "what was checked ahead counts only if nothing has changed since",
    file: "fleet/barrier.ts",
    text: "const holds = this.#ahead === ahead && ",
    replacement: "const holds = ",
    tests: ["test/unit/fleet/barrier.test.ts"],
  },
  {
    removes: "what was checked ahead counts only if it is fresh",
    file: "fleet/barrier.ts",
    text: " && performance.now() - ahead.startedAt <= HOLDS_MS;",
    replacement: " && HOLDS_MS > 0;",
    tests: ["test/unit/fleet/barrier.test.ts"],
  },
  {
    removes: "what was checked ahead counts only if all was well",
    file: "fleet/barrier.ts",
    text: "if (seen && holds && passes(seen)) return seen;",
    replacement: "if (seen && holds) return seen;",
    tests: ["test/unit/fleet/barrier.test.ts"],
  },
  {
    removes: "a weight raised by hand in one cluster lets no other follow past the next phase",
    file: "lib/release-rules.ts",
    text: "...shares.flatMap(({ share, writtenBy }) => (writtenBy === undefined ? [share] : [])),",
    replacement: "...shares.map(({ share }) => share),",
    tests: rules,
  },
  {
    removes: "a host whose weight was lowered alone rises through the checks",
    file: "lib/release-rules.ts",
    text: "leastShareOf(route, canary) < weight",
    replacement: "shareOf(route, canary) < weight",
    tests: rules,
  },
  {
    removes: "lowering raises no host",
    file: "lib/routing/istio/split.ts",
    text: "splitOf({ http: [rule] }).weight > weight ? withWeight([rule], canary, weight)[0] : rule,",
    replacement: "withWeight([rule], canary, weight)[0] ?? rule,",
    tests: ["test/unit/lib/routing/istio/split.test.ts"],
  },
  {
    removes: "a gate that fails in one cluster rolls all back",
    file: "release/planner.ts",
    text: "if (reasons.length > 0) {",
    replacement: "if (reasons.length > 99) {",
    tests: rollout,
  },
  {
    removes: "nothing rises while an API server is silent",
    file: "release/planner.ts",
    text: "if (away.length > 0) {",
    replacement: "if (away.length > 99) {",
    tests: rollout,
  },
  {
    removes: "a rollout rolls back when a cluster stays unreachable",
    file: "release/planner.ts",
    text: "now - awaySince >= plan.unreachableLimitMs",
    replacement: "now - awaySince >= Infinity",
    tests: rollout,
  },
  {
    removes:
      "a preview made ahead counts only for the program, config and state that it was made of",
    file: "release/preview-ahead.ts",
    text: "fingerprint === ahead.fingerprint",
    replacement: 'fingerprint !== ""',
    tests: ["test/unit/release/preview-ahead.test.ts"],
  },
  {
    removes: "a raise that something speaks against for good is no wait",
    file: "fleet/raise-weights.ts",
    text: "reasons.every(({ mayHeal }) => mayHeal)",
    replacement: "reasons.every(({ reason }) => reason)",
    tests: ["test/unit/fleet/raise-weights.test.ts"],
  },
  {
    removes: "a rollout rolls back when clusters differ",
    file: "release/planner.ts",
    text: "if (weights.length > 1) {",
    replacement: "if (weights.length > 99) {",
    tests: rollout,
  },
  {
    removes: "too few requests hold a phase",
    file: "release/planner.ts",
    text: "if (unsure.length > 0) {",
    replacement: "if (unsure.length > 99) {",
    tests: rollout,
  },
  {
    removes: "nobody raises what somebody has paused",
    file: "release/planner.ts",
    text: 'if (look.paused !== undefined) return wait("paused", look.paused);',
    replacement: "",
    tests: rollout,
  },
  {
    removes: "a confidence bound decides, not the bare ratio",
    file: "release/gates/gate.ts",
    text: "if (isSurelyWorse(counts, limits, sure)) {",
    replacement: "if ((measured(canary) ?? 0) > shown) {",
    tests: rollout,
  },
  {
    removes: "counters of a Prometheus without its samples count from when they are known",
    file: "release/gates/counters.ts",
    text: "if (before) return stretch;",
    replacement: "if (before ?? stretch) return stretch;",
    tests: rollout,
  },
  {
    removes: "what a counter had before its proxy was restarted is counted",
    file: "release/gates/counters.ts",
    text: "if (restarted.length > 0) {",
    replacement: "if (restarted.length > 1e9) {",
    tests: rollout,
  },
  {
    removes: "a query of one's own that gives nothing is not 0",
    file: "release/gates/queries.ts",
    text: "if (samples.length === 0) {",
    replacement: "if (samples.length < 0) {",
    tests: rollout,
  },
  {
    removes: "what no pod has answered is judged by the part of the requests that the canary gets",
    file: "release/gates/verdict.ts",
    text: "const part = weight === 0 ? 1 : weight / 100;",
    replacement: "const part = weight === 0 ? 1 : 1;",
    tests: rollout,
  },
  {
    removes: "requests that no pod has answered are those with Envoy's flags for it",
    file: "release/gates/queries.ts",
    text: "const isUnreached = (labels: Labels) => flagsOf(labels).length > 0;",
    replacement: "const isUnreached = (labels: Labels) => flagsOf(labels).length > 1;",
    tests: rollout,
  },
  {
    removes: "faults that begin late are judged apart",
    file: "release/gates/restarts.ts",
    text: "return begin < everyMs",
    replacement: "return begin < Infinity",
    tests: rollout,
  },
  {
    removes: "a cluster whose proxies nobody reads is not idle",
    file: "release/gates/readings.ts",
    text: "if (await readsProxies(",
    replacement: "if ((await Promise.resolve(true)) || readsProxies(",
    tests: rollout,
  },
  {
    removes: "a part of an answer is no answer",
    file: "fleet/prometheus.ts",
    text: "if (partial.length > 0 || isPartial) {",
    replacement: "if (partial.length > 1e9) {",
    tests: ["test/unit/fleet/prometheus.test.ts"],
  },
  {
    removes: "a gate that is idle in every cluster holds",
    file: "release/gates/verdict.ts",
    text: 'same.every(({ outcome }) => outcome === "idle")',
    replacement: 'same.every(({ outcome }) => outcome === "fail")',
    tests: rollout,
  },
  {
    removes: "a raise that would delete something is refused",
    file: "release/update-weight.ts",
    text: "if (lost.length > 0) {",
    replacement: "if (lost.length > 99) {",
    tests: rollout,
  },
  {
    removes: "a weight is 0 only if it is read back after the Envoys were asked",
    file: "fleet/to-zero.ts",
    text: "requireZero(await read());",
    replacement: "await read();",
    tests: ["test/unit/release/commands/zero.test.ts"],
  },
  {
    removes: "a rollback reads the weights back after Pulumi",
    file: "release/update-weight.ts",
    text: "const last = await lower();",
    replacement: "const last = lowered;",
    tests: rollout,
  },
  {
    removes: "another update's lock is a wait, not a failed phase",
    file: "release/rollout.ts",
    text: "error instanceof Held ||",
    replacement: "",
    tests: ["test/unit/release/rollout.test.ts"],
  },
  {
    removes: "clusters that differ are looked at twice",
    file: "release/observer.ts",
    text: "<= 1) return clusters;",
    replacement: "<= 99) return clusters;",
    tests: ["test/unit/release/observer.test.ts"],
  },
  {
    removes: "what logs in is not sent to another host",
    file: "fleet/http-get.ts",
    text: "} else if (brings) {",
    replacement: "} else if (brings && false) {",
    tests: ["test/unit/fleet/prometheus-api.test.ts"],
  },
  {
    removes: "a refused token is got anew",
    file: "fleet/credentials.ts",
    text: "await command.forget(first.token);",
    replacement: "",
    tests: ["test/unit/fleet/prometheus-api.test.ts"],
  },
  {
    removes: "secrets that a server repeats are not shown",
    file: "fleet/credentials.ts",
    text: `shown.replaceAll(secret, "[secret]")`,
    replacement: "shown",
    tests: ["test/unit/fleet/prometheus-api.test.ts"],
  },
  {
    removes: "an endpoint that counts fewer events than before is no data",
    file: "release/gates/web.ts",
    text: "if (last && (",
    replacement: "if (last && false && (",
    tests: ["test/unit/release/gates/web.test.ts"],
  },
  {
    removes: "a cluster without a Prometheus is judged by endpoints",
    file: "release/gates/gate-verdicts.ts",
    text: "(metrics !== undefined || !needsMetrics(gate)) &&",
    replacement: "metrics !== undefined &&",
    tests: ["test/unit/release/observer.test.ts"],
  },
  {
    removes: "own metrics have their pod's version, whatever they say themselves",
    file: "lib/monitoring/scrape.ts",
    text: `{ source_labels: ["__name__", POD_VERSION], regex, target_label: "version" },`,
    replacement: "",
    tests: ["test/unit/components/canary-monitoring.test.ts"],
  },
  {
    removes: "a phase's own limits are judged by",
    file: "release/gates/gate-verdicts.ts",
    text: "const config = gatesAt(rollout, at.weight);",
    replacement: "const config = gatesAt(rollout, 0);",
    tests: ["test/unit/release/observer.test.ts"],
  },
  {
    removes: "a cluster fails by its own few requests where requests are pooled",
    file: "release/gates/pooling.ts",
    text: `if (early.outcome === "fail") return early;`,
    replacement: "",
    tests: ["test/unit/release/gates/pooling.test.ts"],
  },
  {
    removes: "nothing is pooled while a cluster is not counted",
    file: "release/gates/pooling.ts",
    text: "if (counted.length < all.length) return own;",
    replacement: "",
    tests: ["test/unit/release/gates/pooling.test.ts"],
  },
];
