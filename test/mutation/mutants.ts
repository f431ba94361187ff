import { chainMutants } from "./chain-mutants.ts";

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
  ...chainMutants,
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
    text: "if (routes && served !== weight)",
    replacement: "if (routes && served > 100)",
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
    text: "silent.filter(({ pod }) => there.has(identity(pod)))",
    replacement: "silent.filter(({ pod }) => there.has(identity(pod)) || true)",
    tests: fleet,
  },
  {
    removes: "who has confirmed is remembered",
    file: "fleet/confirm-every.ts",
    text: "confirmed.get(proxy) ??",
    replacement: "undefined ??",
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
    removes: "a proxy that was restarted confirms anew",
    file: "fleet/ask-pods.ts",
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
    text: "{ replacing: change.route.resourceVersion }",
    replacement: "{ replacing: undefined }",
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
    removes: "down is free: it waits for the checks",
    file: "stacks/weight-change.ts",
    text: 'return { afterUpdate: [() => this.#once("lowered", () => this.#confirmLower())] };',
    replacement: "return { beforeUpdate: [() => this.#raise()] };",
    tests: change,
  },
  {
    removes: "down at once, before anything is registered",
    file: "stacks/weight-change.ts",
    text: "await change.#lower()",
    replacement: "new Map<string, string>()",
    tests: change,
  },
  {
    removes: "a cluster that cannot be lowered fails the command",
    file: "stacks/weight-change.ts",
    text: "change.#stopIfIncomplete(failed);",
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
    text: "if (!raised) throw new Error(text);",
    replacement: "void raised;",
    tests: change,
  },
  {
    removes: "Envoys that do not follow a fall fail the command",
    file: "stacks/weight-change.ts",
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
    text: "rules.resolve(madeRules);",
    replacement: "rules.resolve(madeRules.slice(0, 0));",
    tests: program,
  },
  {
    removes: "order: Deployments of all clusters before the rules",
    file: "stacks/release.ts",
    text: `const route = new CanaryRoute(\`\${key}-route-\${cluster.name}\`, args, {
        providers: { kubernetes: cluster.provider },
        dependsOn: deployments,`,
    replacement: `const route = new CanaryRoute(\`\${key}-route-\${cluster.name}\`, args, {
        providers: { kubernetes: cluster.provider },
        dependsOn: deployments.slice(0, 0),`,
    tests: program,
  },
  {
    removes: "a gate that fails in one cluster rolls all back",
    file: "release/planner.ts",
    text: "if (reasons.length > 0) {",
    replacement: "if (reasons.length > 99) {",
    tests: rollout,
  },
  {
    removes: "a rollout rolls back when a cluster cannot be reached",
    file: "release/planner.ts",
    text: "if (away.length > 0) {",
    replacement: "if (away.length > 99) {",
    tests: rollout,
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
    text: 'if (percent(ofCanary.low) > limit(ofStable.high)) return judge("fail");',
    replacement: 'if ((measured(canary) ?? 0) > shown) return judge("fail");',
    tests: rollout,
  },
  {
    removes: "counters of a Prometheus without its samples count from when they are known",
    file: "release/gates/queries.ts",
    text: "if (before) return counted;",
    replacement: "if (before ?? counted) return counted;",
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
];
