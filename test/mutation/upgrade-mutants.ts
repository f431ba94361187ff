import type { Mutant } from "./mutants.ts";

const rules = ["test/unit/lib/upgrade-rules.test.ts"];
const stacks = ["test/unit/stacks/upgrade.test.ts"];
const registered = ["test/unit/stacks/revisions.test.ts"];
const asked = ["test/unit/fleet/upgrade.test.ts"];

/** What makes an upgrade of the mesh safe. */
export const upgradeMutants: readonly Mutant[] = [
  {
    removes: "a control plane stays while proxies use it",
    file: "lib/upgrade-rules.ts",
    text: "return pods === 0",
    replacement: "return pods < 9",
    tests: rules,
  },
  {
    removes: "what injects pods changes in one cluster at a time",
    file: "lib/upgrade-rules.ts",
    text: "changing.length < 2",
    replacement: "changing.length < 9",
    tests: rules,
  },
  {
    removes: "no pods move while a weight is on its way",
    file: "lib/upgrade-rules.ts",
    text: "deployed !== wanted || (wanted !== 0 && wanted !== 100)",
    replacement: "deployed > 100 || wanted > 100",
    tests: rules,
  },
  {
    removes: "a revision keeps its version",
    file: "lib/upgrade-rules.ts",
    text: "is !== undefined && is !== revision.version &&",
    replacement: 'is === "" &&',
    tests: rules,
  },
  {
    removes: "no minor version of Istio is skipped",
    file: "lib/revisions.ts",
    text: "Math.abs(from - to) <= 1",
    replacement: "Math.abs(from - to) <= 9",
    tests: rules,
  },
  {
    removes: "pods move only to a control plane that is there",
    file: "lib/upgrade-rules.ts",
    text: "found.istiods.has(to)\n",
    replacement: 'to !== ""\n',
    tests: rules,
  },
  {
    removes: "a tag's namespaces do not lose their sidecars with it",
    file: "lib/upgrade-rules.ts",
    text: "of === label && !namespaces.has(namespace)",
    replacement: "of === namespace && !namespaces.has(namespace)",
    tests: rules,
  },
  {
    removes: "pods move only to a control plane that is in sync",
    file: "stacks/upgrade.ts",
    text: "      await upgrade.#against(",
    replacement: "      await new Upgrade(settings, []).#against(",
    tests: stacks,
  },
  {
    removes: "what has moved is in sync when the update ends",
    file: "stacks/upgrade.ts",
    text: 'throwProblems(\n        "This step of the upgrade is made, and not well.',
    replacement:
      'void ((heading: string, of: readonly Problem[]) => [heading, of])(\n        "This step of the upgrade is made, and not well.',
    tests: stacks,
  },
  {
    removes: "a cluster that is away stands in the way of no upgrade",
    file: "stacks/upgrade.ts",
    text: "presentClusters<ClusterAccess>(settings).map(async",
    replacement: "[...settings.clusters].map(async",
    tests: stacks,
  },
  {
    removes: "what was to move has moved when the update ends",
    file: "fleet/upgrade/upgraded.ts",
    text: "injectedBy(pod) !== to,",
    replacement: 'injectedBy(pod) === "",',
    tests: asked,
  },
  {
    removes: "pods are rolled after the webhook of the other control plane has gone",
    file: "components/istio-control-plane.ts",
    text: "(taken && this.istiods.get(DEFAULT_REVISION)) ?? taken ?? first",
    replacement: "taken ?? first",
    tests: registered,
  },
  {
    removes: "a gateway of a revision is never left out as one of a percentage",
    file: "fleet/upgrade/upgraded.ts",
    text: "late.every(isSidecar) && late.length <= mayMiss(percent, counted)",
    replacement: "late.length <= mayMiss(percent, counted)",
    tests: asked,
  },
  {
    removes: "no more proxies of a revision are left out than the percentage says",
    file: "fleet/upgrade/upgraded.ts",
    text: "late.every(isSidecar) && late.length <= mayMiss(percent, counted)",
    replacement: "late.every(isSidecar)",
    tests: asked,
  },
  {
    removes: "all proxies of a revision have time to get in sync before some are left out",
    file: "stacks/upgrade.ts",
    text: "last = await look({ ...who, percent: 100 });",
    replacement: "last = await look(who);",
    tests: ["test/unit/stacks/upgrade.test.ts"],
  },
  {
    removes: "what an Envoy rejects is seen",
    file: "fleet/upgrade/upgraded.ts",
    text: "sent === acknowledged ? []",
    replacement: 'sent !== "" ? []',
    tests: asked,
  },
  {
    removes: "a proxy listens to the control plane that has injected it",
    file: "fleet/upgrade/upgraded.ts",
    text: "(of.get(proxyId(pod)) ?? []).filter((each) => each.revision === revision)",
    replacement: "of.get(proxyId(pod)) ?? []",
    tests: asked,
  },
  {
    removes: "the istiod of each revision serves before a weight rises",
    file: "fleet/checks/istiod.ts",
    text: "({ metadata }) => metadata?.labels?.[REVISION_LABEL] ?? DEFAULT_REVISION,",
    replacement: "() => DEFAULT_REVISION,",
    tests: asked,
  },
  {
    removes: "a namespace has one webhook that injects it",
    file: "lib/helm-values.ts",
    text: "settings.isReplaced === true",
    replacement: "settings.isReplaced === undefined",
    tests: registered,
  },
  {
    removes: "the webhook goes after the tag's is there",
    file: "components/istio-control-plane.ts",
    text: "istiod(unnamed, taken ? [taken] : [])",
    replacement: "istiod(unnamed)",
    tests: registered,
  },
  {
    removes: "other clusters may read on when the control plane without a revision goes",
    file: "stacks/mesh.ts",
    text: "revisions: [...source.controlPlane.istiods.keys()],",
    replacement: "",
    tests: registered,
  },
  {
    removes: "pods are rolled when their revision is another one",
    file: "components/canary-workload.ts",
    text: "args.revision !== undefined && {",
    replacement: 'args.revision === "" && {',
    tests: registered,
  },
];
