import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { load } from "js-yaml";
import { beforeAll, describe, expect, it, vi } from "vitest";
import * as z from "zod";
import {
  recordedStack,
  type RecordedResource,
  type RecordedStack,
} from "../../../scripts/recorded-stack.ts";
import type { AliasSpec } from "../../helpers/mocks.ts";
import { deployedIn, PLACEHOLDERS, runRecorded } from "../../helpers/recorded-program.ts";
import {
  changesOf,
  listedChanges,
  problemsOf,
  type Change,
  type ListedChanges,
  type Run,
} from "../../helpers/upgrade.ts";

const root = path.join(import.meta.dirname, "../../..");
const read = (file: string) => readFileSync(path.join(root, file), "utf8");
const changelog = read("CHANGELOG.md");

const STACKS = "test/unit/upgrade/stacks";
const releases = readdirSync(path.join(root, STACKS));
/** The folders of all recordings, below that of all. */
const recordings = releases.flatMap((release) =>
  readdirSync(path.join(root, STACKS, release)).map((stack) => [release, stack] as const),
);
const recordingOf = (release: string, stack: string) =>
  recordedStack.parse(JSON.parse(read(`${STACKS}/${release}/${stack}/stack.json`)));

let deployed: RecordedStack;
vi.mock(import("../../../fleet/read-deployed.ts"), async (original) => ({
  ...(await original()),
  readDeployed: (clusters) =>
    Promise.resolve(clusters.map(({ name }) => deployedIn(deployed, name))),
}));
vi.mock(import("../../../fleet/notes.ts"), () => ({
  readNotes: () => Promise.resolve({}),
  writeNotes: () => Promise.resolve(),
}));

async function run(recorded: RecordedStack): Promise<Run> {
  deployed = recorded;
  return runRecorded(recorded);
}

it("there is a recorded stack for this version, and for every release", () => {
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(read("package.json")));
  const released = [...changelog.matchAll(/^## \[?(\d[\w.-]*)/gm)].map(([, name]) => name);
  expect(
    releases,
    "Record a stack as CONTRIBUTING.md describes under A release, and commit it.",
  ).toEqual(expect.arrayContaining([version, ...released]));
});

describe.each(recordings)("of %s, the stack %s", (release, stack) => {
  const recorded = recordingOf(release, stack);

  it("belongs to the project that Pulumi.yaml names", () => {
    expect(load(read("Pulumi.yaml"))).toMatchObject({ name: recorded.project });
  });

  it("is changed by an update only as CHANGELOG.md tells", async () => {
    const changes = changesOf(recorded, await run(recorded), PLACEHOLDERS);
    const listed = listedChanges.parse(
      JSON.parse(read(`${STACKS}/${release}/${stack}/changes.json`)),
    );
    const problems = problemsOf({ release, stack }, changes, listed, changelog);
    if (problems !== "") expect.fail(problems);
  });

  it("holds no secret and no path of a machine", () => {
    const text = read(`${STACKS}/${release}/${stack}/stack.json`);
    expect(text).not.toMatch(
      /ciphertext|PRIVATE KEY|BEGIN |"secure"|"\/(home|root|Users|work|tmp)\b/,
    );
  });
});

describe("the comparison", () => {
  const of = { release: "0.1.0", stack: "lab" };
  const recorded = recordingOf(of.release, of.stack);
  let program: Run;
  /** What the program changes on the recorded stack as it is. */
  let known: readonly Change[];
  beforeAll(async () => {
    program = await run(recorded);
    known = changesOf(recorded, program, PLACEHOLDERS);
  });
  /** What it changes on another one, or another program, beside. */
  const moreChanges = (stack: RecordedStack, run: Run) =>
    changesOf(stack, run, PLACEHOLDERS).filter(
      (change) => !known.some((each) => isDeepStrictEqual(each, change)),
    );

  const WORKLOAD = "istio-canary:mesh:CanaryWorkload";
  const PARENT = `${WORKLOAD}::user-service.user-cluster-a`;
  const SERVICE = `${WORKLOAD}$kubernetes:core/v1:Service::user-service.user-cluster-a-service`;
  const DEPLOYMENT = `${WORKLOAD}$kubernetes:apps/v1:Deployment::user-service.user-cluster-a-v1`;
  const VIRTUAL_SERVICE =
    "istio-canary:mesh:CanaryRoute$kubernetes:networking.istio.io/v1:VirtualService::user-service.user-route-cluster-a-weights";

  it("finds nothing of an API that a new version of Kubernetes may take away", () => {
    const types = program.resources.map(({ type }) => type);
    const ofKubernetes = types.filter((type) => type.startsWith("kubernetes:"));
    expect(ofKubernetes).toContain("kubernetes:apps/v1:Deployment");
    expect(ofKubernetes.filter((type) => /\/v\d+(alpha|beta)\d+:/.test(type))).toEqual([]);
  });

  /** What an update would do if the stack had been recorded otherwise. */
  const changesFrom = (
    edit: (resource: RecordedResource) => Partial<RecordedResource>,
    run = program,
  ) => {
    const resources = recorded.resources.map((each) => ({ ...each, ...edit(each) }));
    expect(resources).not.toEqual(recorded.resources);
    return moreChanges({ ...recorded, resources }, run);
  };
  /** The same if one resource had been recorded with other inputs. */
  const changesOfInput = (wanted: string, input: string, change: object) =>
    changesFrom(({ urn, inputs }) =>
      urn === wanted
        ? { inputs: { ...inputs, [input]: { ...(inputs[input] as object), ...change } } }
        : {},
    );
  const renamed = (from: string, to: string) =>
    changesFrom(({ urn }) => (urn === from ? { urn: to } : {}));
  /** The program, if it had given a resource an alias. */
  const withAlias = (place: string, alias: Partial<AliasSpec>): Run => ({
    ...program,
    resources: program.resources.map((each) =>
      each.urn.endsWith(`::${place}`)
        ? { ...each, aliases: [{ urn: "", name: "", type: "", parentUrn: undefined, ...alias }] }
        : each,
    ),
  });

  it("finds a resource with another name or type deleted and created", () => {
    for (const old of [`${SERVICE}-old`, SERVICE.replace("CanaryWorkload", "Workload")]) {
      expect(renamed(SERVICE, old)).toEqual([
        { kind: "deleted", resource: old, paths: [] },
        { kind: "created", resource: SERVICE, paths: [] },
      ]);
    }
  });

  it("finds nothing deleted that has an alias, nor its children", () => {
    const before = (text: string) =>
      text
        .replaceAll("user-service.user-cluster-a", "user-service.user-old-a")
        .replaceAll(WORKLOAD, "istio-canary:mesh:Workload");
    const isOwn = ({ urn }: RecordedResource) =>
      urn.startsWith(WORKLOAD) && urn.includes("::user-service.user-cluster-a");
    const edit = (each: RecordedResource) =>
      isOwn(each) ? { urn: before(each.urn), parent: before(each.parent) } : {};
    expect(changesFrom(edit)).not.toEqual([]);
    const [type, name] = before(PARENT).split("::");
    expect(changesFrom(edit, withAlias(PARENT, { type: type ?? "", name: name ?? "" }))).toEqual(
      [],
    );
    const urn = `urn:pulumi:test::istio-canary::${before(PARENT)}`;
    expect(changesFrom(edit, withAlias(PARENT, { urn }))).toEqual([]);
  });

  it("finds a resource replaced whose name, selector, cluster or release differs", () => {
    const istiod =
      "istio-canary:mesh:IstioControlPlane$kubernetes:helm.sh/v3:Release::istio-cluster-a-istiod";
    const replaced = (resource: string, path: string) => [
      { kind: "replaced", resource, paths: [path] },
    ];
    expect(changesOfInput(SERVICE, "metadata", { name: "old" })).toEqual(
      replaced(SERVICE, "metadata.name"),
    );
    expect(changesOfInput(DEPLOYMENT, "spec", { selector: { matchLabels: {} } })).toMatchObject([
      { kind: "replaced", resource: DEPLOYMENT },
    ]);
    expect(changesFrom(({ urn }) => (urn === SERVICE ? { provider: "cluster-b" } : {}))).toEqual(
      replaced(SERVICE, "provider"),
    );
    expect(
      changesFrom(({ urn, inputs }) =>
        urn === istiod ? { inputs: { ...inputs, namespace: "istio" } } : {},
      ),
    ).toEqual(replaced(istiod, "namespace"));
  });

  it("finds a resource updated whose other inputs differ, where they are not ignored", () => {
    expect(changesOfInput(DEPLOYMENT, "spec", { replicas: 4 })).toEqual([
      { kind: "updated", resource: DEPLOYMENT, paths: ["spec.replicas"] },
    ]);
    const certificate =
      "istio-canary:mesh:MeshCertificates$pulumi-nodejs:dynamic/istio-canary:Certificate::certificates-";
    const changes = changesFrom(({ urn, inputs }) =>
      urn.startsWith(certificate) ? { inputs: { ...inputs, days: 30 } } : {},
    );
    expect(changes.map(({ resource }) => resource).sort()).toEqual([
      `${certificate}cluster-a`,
      `${certificate}cluster-b`,
    ]);
  });

  it("finds a secret updated that would be seen", () => {
    const secret =
      "istio-canary:mesh:IstioControlPlane$kubernetes:core/v1:Secret::istio-cluster-a-cacerts";
    const resources = program.resources.map((each) =>
      each.urn.endsWith(`::${secret}`)
        ? { ...each, inputs: { ...each.inputs, stringData: { "ca-key.pem": "key" } } }
        : each,
    );
    expect(moreChanges(recorded, { ...program, resources })).toEqual([
      { kind: "updated", resource: secret, paths: ["stringData"] },
    ]);
  });

  it("finds outputs updated", () => {
    const outputs = { ...program.outputs, rootCaExpires: undefined, more: 1 };
    expect(moreChanges(recorded, { ...program, outputs })).toEqual([
      { kind: "updated", resource: "outputs", paths: ["more", "rootCaExpires", "versions"] },
    ]);
  });

  it("says what a user would see, and what to do", () => {
    const changes = [
      ...renamed(SERVICE, `${SERVICE}-old`),
      ...changesOfInput(DEPLOYMENT, "metadata", { namespace: "old" }),
      ...changesOfInput(VIRTUAL_SERVICE, "spec", { hosts: [] }),
    ];
    expect(problemsOf(of, changes, [], "")).toBe(
      `After an update from 0.1.0, pulumi preview would show what no user expects:
  deleted:
   - ${SERVICE}-old
  replaced:
   - ${DEPLOYMENT} (metadata.namespace)
  created:
   - ${SERVICE}
  updated:
   - ${VIRTUAL_SERVICE} (spec.hosts[0], spec.hosts[1], spec.hosts[2])

An update must delete and replace nothing, since the objects are in use. If a resource has another name, type or parent now, give it the old one back, or the option aliases. If a field cannot be changed in place, give it its old value back.

If it is meant that something is created or updated, tell users in CHANGELOG.md, under On an existing stack, and add to test/unit/upgrade/stacks/0.1.0/lab/changes.json, with words of that entry as "changelog":
{
  "changelog": "…",
  "resources": {
    "${SERVICE}": "created",
    "${VIRTUAL_SERVICE}": [
      "spec.hosts[0]",
      "spec.hosts[1]",
      "spec.hosts[2]"
    ]
  }
}`,
    );
  });

  describe("accepts listed changes", () => {
    const changes: Change[] = [
      { kind: "updated", resource: DEPLOYMENT, paths: ["spec.replicas"] },
      { kind: "created", resource: SERVICE, paths: [] },
    ];
    const listed: ListedChanges = [
      {
        changelog: "Deployments have other replicas, and a Service is new.",
        resources: { [DEPLOYMENT]: ["spec.replicas"], [SERVICE]: "created" },
      },
    ];
    const told = (entry: string, heading = "On an existing stack", release = "Unreleased") =>
      `# Changelog\n\n## ${release}\n\n### ${heading}\n\n- ${entry}\n\n## [0.1.0] - 2026-12-01\n`;
    const entry = "Deployments have other replicas, and\n  a Service is new.";

    it("that CHANGELOG.md tells", () => {
      expect(problemsOf(of, changes, listed, told(entry))).toBe("");
      expect(problemsOf(of, changes, listed, told(entry, undefined, "0.2.0"))).toBe("");
    });

    it.each([
      ["it does not tell them", told("Something else.")],
      ["it tells them under another heading", told(entry, "Changed")],
      ["it has told them before the release", told(entry, undefined, "0.1.0")],
    ])("but not if %s", (_, text) => {
      expect(problemsOf(of, changes, listed, text)).toBe(
        "test/unit/upgrade/stacks/0.1.0/lab/changes.json names entries that CHANGELOG.md does not have under On an existing stack. " +
          "Add them, or correct the words:\n" +
          "   - Deployments have other replicas, and a Service is new.",
      );
    });

    it("but not what differs besides", () => {
      const more: Change[] = [
        { kind: "updated", resource: DEPLOYMENT, paths: ["spec.paused", "spec.replicas"] },
        { kind: "created", resource: SERVICE, paths: [] },
      ];
      const problems = problemsOf(of, more, listed, told(entry));
      expect(problems).toContain(`updated:\n   - ${DEPLOYMENT} (spec.paused)\n`);
    });

    it("but not a deletion or a replacement", () => {
      for (const kind of ["deleted", "replaced"] as const) {
        const lost: Change[] = [{ kind, resource: DEPLOYMENT, paths: ["spec.replicas"] }];
        const problems = problemsOf(of, lost, listed, told(entry));
        expect(problems).toContain(`${kind}:\n   - ${DEPLOYMENT} (spec.replicas)\n`);
      }
    });

    it("but not those that no longer happen", () => {
      expect(problemsOf(of, [], listed, told(entry))).toBe(
        `These changes are listed in test/unit/upgrade/stacks/0.1.0/lab/changes.json, but do not happen. Remove them there:
   - ${DEPLOYMENT}: spec.replicas
   - ${SERVICE}: created`,
      );
    });
  });
});
