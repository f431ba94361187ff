import type { Mutant } from "./mutants.ts";

const judged = ["test/unit/lib/helm-records.test.ts"];
const update = ["test/unit/stacks/interrupted-releases.test.ts"];

/** What keeps an update from taking a Helm release away from a Helm that is at work, or from its owner. */
export const helmMutants: readonly Mutant[] = [
  {
    removes: "an upgrade that Helm may be at work on is waited for",
    file: "lib/helm-records.ts",
    text: 'return until > now ? { kind: "wait", record, until } : { kind: "interrupted", record };',
    replacement: 'return { kind: "interrupted", record };',
    tests: judged,
  },
  {
    removes: "only an installation that was interrupted begins anew",
    file: "lib/helm-records.ts",
    text: 'record.status === "pending-install" && records.length === 1',
    replacement: "records.length === 1",
    tests: judged,
  },
  {
    removes: "an upgrade goes on only where another revision is there",
    file: "lib/helm-records.ts",
    text: "records.length > 1;",
    replacement: "true;",
    tests: judged,
  },
  {
    removes: "a record is deleted only as it was read",
    file: "fleet/helm-records.ts",
    text: "const body = { preconditions: { uid, resourceVersion } };",
    replacement: "const body = { preconditions: { uid } };",
    tests: update,
  },
  {
    removes: "an interrupted installation of Istio's CNI agent is told",
    file: "stacks/interrupted-releases.ts",
    text: 'cni === "installed"',
    replacement: "false",
    tests: update,
  },
  {
    removes: "releases of others in kube-system are none of the program's",
    file: "stacks/interrupted-releases.ts",
    text: "selector: `${pending},name=${CNI_RELEASE}`",
    replacement: "selector: pending",
    tests: update,
  },
  {
    removes: "a release that is not complete is named though Pulumi takes it for complete",
    file: "stacks/interrupted-releases.ts",
    text: "      for (const each of this.#pending) {",
    replacement: "      for (const each of [] as typeof this.#pending) {",
    tests: update,
  },
];
