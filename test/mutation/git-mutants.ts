import type { Mutant } from "./mutants.ts";

const command = ["test/unit/release/commands/weight.test.ts"];
const decision = ["test/unit/release/held-weight.test.ts"];
const beginning = ["test/unit/release/begin-release.test.ts"];

/** What keeps git and the clusters from undoing each other. */
export const gitMutants: readonly Mutant[] = [
  {
    removes: "a change that sets the weight is carried out whatever a rollout holds",
    file: "release/held-weight.ts",
    text: "if (before && before.weight !== config) {",
    replacement: "if (before && before.weight !== before.weight) {",
    tests: decision,
  },
  {
    removes: "only a rollout of the same canaries holds a weight",
    file: "release/held-weight.ts",
    text: "if (progress?.release !== release) return own",
    replacement: "if (progress === undefined) return own",
    tests: decision,
  },
  {
    removes: "clusters that differ hold no weight",
    file: "release/held-weight.ts",
    text: "if (more.length > 0) {",
    replacement: "if (more.length > 9) {",
    tests: decision,
  },
  {
    removes: "what is left of a canary that was taken back holds no weight",
    file: "release/held-weight.ts",
    text: 'if (end?.result === "rolled-back" || rollingBack !== undefined) {',
    replacement: 'if (end?.result === "rolled-back" && rollingBack !== undefined) {',
    tests: decision,
  },
  {
    removes: "a weight that the change lowers waits for no cluster",
    file: "release/commands/weight.ts",
    text: "...(before && before.weight !== settings.weight ? NOTHING : await inClusters(release)),",
    replacement: "...(await inClusters(release)),",
    tests: command,
  },
  {
    removes: "no weight is held that not every cluster has told",
    file: "release/commands/weight.ts",
    text: "if (away.length > 0) {",
    replacement: "if (away.length > 9) {",
    tests: command,
  },
  {
    removes: "no image becomes the canary while another canary has requests",
    file: "release/begin-release.ts",
    text: "if (serving.length > 0) {",
    replacement: "if (serving.length > 9) {",
    tests: beginning,
  },
  {
    removes: "no image becomes the canary in place of one that a command judges",
    file: "release/begin-release.ts",
    text: "if (!progress || progress.end || !watch) return;",
    replacement: "if (!progress || progress.end || !watch || watch.at > 0) return;",
    tests: beginning,
  },
  {
    removes: "a release by a new image deletes nothing but the canary that it replaces",
    file: "release/begin-release.ts",
    text: "({ name }) => leaving.some((gone) => name === gone || name.startsWith(`${gone}-`)),",
    replacement: "() => true,",
    tests: beginning,
  },
  {
    removes: "a canary that has requests goes on only where a rollout of the same image holds it",
    file: "release/begin-release.ts",
    text: "if (progress?.release !== release || progress.end",
    replacement: "if (progress === undefined || progress.end",
    tests: beginning,
  },
  {
    removes: "a canary that has requests goes on only where no cluster serves another one",
    file: "release/begin-release.ts",
    text: "if (deployed.some(isOther)) return undefined;",
    replacement: "if (deployed.length === 0 && deployed.some(isOther)) return undefined;",
    tests: beginning,
  },
  {
    removes: "a release by a new image never deletes the version that is stable",
    file: "release/begin-release.ts",
    text: "version === undefined || version === stable.version ||",
    replacement: "version === undefined ||",
    tests: beginning,
  },
  {
    removes: "a canary that could not be made is not proposed: the config is as it was",
    file: "release/stack.ts",
    text: "await setText(this.configFile, text);",
    replacement: "",
    tests: ["test/unit/release/stack.test.ts"],
  },
  {
    removes: "what somebody has edited meanwhile stays in the config",
    file: "release/stack.ts",
    text: "if (isOurs) {",
    replacement: "if (isOurs || changed !== '') {",
    tests: ["test/unit/release/stack.test.ts"],
  },
  {
    removes: "a stack has one lease, with and without its organization",
    file: "release/lease.ts",
    text: 'stackLabel(stack.split("/").at(-1) ?? stack)',
    replacement: "stackLabel(stack)",
    tests: ["test/unit/release/lease.test.ts"],
  },
  {
    removes: "a lock from before there were processes here is of another host",
    file: "release/stack.ts",
    text: 'Date.parse(at ?? "") >= since.getTime() &&',
    replacement: "",
    tests: ["test/unit/release/stack.test.ts"],
  },
  {
    removes: "a process of another machine with the same host name is not taken for dead",
    file: "release/lease.ts",
    text: "space === processSpace() &&",
    replacement: "",
    tests: ["test/unit/release/lease.test.ts"],
  },
  {
    removes: "a lease is not another process' that has the same user, host and number",
    file: "release/lease.ts",
    text: "metadata?.annotations?.[PROCESS] === THIS",
    replacement: "metadata !== undefined",
    tests: ["test/unit/release/lease.test.ts"],
  },
];
