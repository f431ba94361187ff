import { describe, expect, it } from "vitest";
import type { DeployedCluster } from "../../../lib/deployed.ts";
import type { Exception } from "../../../lib/exceptions.ts";
import { podsOf, type Pods } from "../../../lib/pods.ts";
import { problemLine } from "../../../lib/problems.ts";
import { rebuiltServices, releaseProblems, type Wanted } from "../../../lib/release-rules.ts";
import { planRollback } from "../../../release/rollback-plan.ts";
import type { Split } from "../../../lib/weights.ts";
import { deployedCluster, KEY, split as v, wantedRelease } from "../../helpers/deployed.ts";

type ByVersion = Readonly<Record<string, Pods>>;

/** What versions are made of, with these variables. */
const pods = (version: string, env: Readonly<Record<string, string>> = {}): Pods =>
  podsOf({ name: "user-service" }, { image: `image:${version}`, env });
const plain = { v1: pods("v1"), v2: pods("v2"), v3: pods("v3") };

function deployed(split: Split, made: ByVersion = plain, ...names: string[]): DeployedCluster[] {
  return (names.length > 0 ? names : ["a", "b"]).map((name) => {
    const cluster = deployedCluster(name, split);
    const routes = [...cluster.routes].map(
      ([key, route]) => [key, { ...route, pods: made }] as const,
    );
    return { ...cluster, routes: new Map(routes) };
  });
}

function wanted(split: Split, made: ByVersion, allow: readonly Exception[] = []): Wanted {
  const release = wantedRelease(split, allow);
  return { ...release, routes: release.routes.map((route) => ({ ...route, pods: made })) };
}

const lines = (from: readonly DeployedCluster[], to: Wanted) =>
  releaseProblems(from, to).map(problemLine);

describe("a version that serves requests", () => {
  const changed = { ...plain, v1: { ...pods("v1", { LEVEL: "debug" }), image: "image:hotfix" } };
  const fix =
    "Release it as a canary, under another version name. If you mean it: pulumi config set --path 'allow[0]' replace-stable";

  it("keeps what it is made of as stable, unless that is allowed", () => {
    expect(lines(deployed(v("v1", "v2", 30)), wanted(v("v1", "v2", 30), changed))).toEqual([
      ` - services[0].stable.image: must stay image:v1 while v1 serves 70 % of ${KEY} in a and b, got "image:hotfix". ${fix}`,
      ` - services[0].stable.env: must stay what a has for LEVEL while v1 serves 70 % of ${KEY} in a and b. ` +
        `What the service's own env says is for all versions. ${fix}`,
    ]);
    const allowed = wanted(v("v1", "v2", 30), changed, ["replace-stable"]);
    expect(lines(deployed(v("v1", "v2", 30)), allowed)).toEqual([]);
  });

  it("keeps it as a canary, unless that is allowed", () => {
    const canary = {
      ...plain,
      v2: { ...pods("v2", { LEVEL: "debug" }), args: ["--fast"], resources: {} },
    };
    const at = (weight: number, ...allow: Exception[]) =>
      lines(deployed(v("v1", "v2", 10)), wanted(v("v1", "v2", weight), canary, allow));
    const keys = ["env", "args", "resources"];
    expect(at(10)).toEqual(
      keys.map(
        (key) =>
          expect.stringMatching(
            new RegExp(
              `^ - services\\[0\\]\\.canary\\.${key}: must stay what a has .*while v2 serves 10 % of .* Take its weight back to 0 first\\. If you mean it: .* change-canary$`,
            ),
          ) as string,
      ),
    );
    expect(at(10, "change-canary")).toEqual([]);
    expect(lines(deployed(v("v1", "v2", 0)), wanted(v("v1", "v2", 0), canary))).toEqual([]);
    expect(lines(deployed(v("v1", "v2", 0)), wanted(v("v1", "v2", 10), canary))).toEqual([]);
  });

  it("keeps what the service says of all its pods, unless that is allowed", () => {
    const of = (more: object) => {
      const service = { name: "user-service", port: 8080, ...more };
      return { v1: podsOf(service, { image: "image:v1" }) };
    };
    const from = deployed(v("v1"), of({}));
    const to = { port: 8081, healthPath: "/ready", user: 1, metrics: { path: "/metrics" } };
    expect(lines(from, wanted(v("v1"), of(to)))).toEqual(
      ["port", "healthPath", "metrics", "user"].map(
        (key) =>
          ` - services[0].${key}: must stay what a has while v1 serves 100 % of ${KEY} in a and b. ` +
          `What the service's own ${key} says is for all versions. If you mean it: pulumi config set --path 'allow[0]' replace-stable`,
      ),
    );
    const allowed = wanted(v("v1"), of(to), ["replace-stable"]);
    expect(lines(from, allowed)).toEqual([]);
    expect(rebuiltServices(from, allowed)).toEqual([KEY]);
  });

  it("keeps the ports that the Service leads to, whatever is allowed", () => {
    const of = (more: object) => {
      const service = { name: "user-service", port: 8080, ...more };
      return {
        v1: podsOf(service, { image: "image:v1" }),
        v2: podsOf(service, { image: "image:v2" }),
      };
    };
    const port = (targetPort: number) => [{ port: 9090, protocol: "http", targetPort }];
    const from = deployed(v("v1", "v2", 10), of({ morePorts: port(9090) }));
    const to = of({ protocol: "grpc", morePorts: port(9091) });
    const allow: readonly Exception[] = ["replace-stable", "change-canary"];
    expect(lines(from, wanted(v("v1", "v2", 10), to, allow))).toEqual(
      ["protocol", "morePorts"].map(
        (key) =>
          expect.stringMatching(
            new RegExp(
              `^ - services\\[0\\]\\.${key}: must stay what a has while v1 serves 90 % of .* No pod that runs has the port that the Service would lead to at once\\. Add a further port \\(morePorts\\), or another service, and move the clients\\.$`,
            ),
          ) as string,
      ),
    );
    expect(
      lines(deployed(v("v1"), of({})), wanted(v("v1"), of({ morePorts: port(9091) }), allow)),
    ).toEqual([]);
  });

  it("keeps what it reads, files and secrets, in either role", () => {
    const reads = { files: "1a", secretFiles: "2b", secretEnv: "3c" };
    const read = { v1: { ...plain.v1, ...reads }, v2: { ...plain.v2, ...reads } };
    const parts = Object.keys(reads);
    const all = lines(deployed(v("v1", "v2", 30)), wanted(v("v1", "v2", 30), read));
    expect(all.map((line) => line.slice(0, line.indexOf(" serves")))).toEqual([
      ...parts.map((part) => ` - services[0].canary.${part}: must stay what a has while v2`),
      ...parts.map((part) => ` - services[0].stable.${part}: must stay what a has while v1`),
    ]);
    expect(lines(deployed(v("v1"), read), wanted(v("v1"), plain))).toHaveLength(parts.length);
    expect(lines(deployed(v("v1"), read), wanted(v("v1"), read))).toEqual([]);
    const allowed = wanted(v("v1"), read, ["replace-stable"]);
    expect(lines(deployed(v("v1")), allowed)).toEqual([]);
    expect(rebuiltServices(deployed(v("v1")), allowed)).toEqual([KEY]);
  });

  it("keeps it as it is promoted, and as its promotion is taken back", () => {
    const canary = { ...plain, v2: pods("v2", { LEVEL: "debug" }) };
    for (const [from, to, role] of [
      [v("v1", "v2", 100), v("v2"), "stable"],
      [v("v2"), v("v1", "v2", 100), "canary"],
    ] as const) {
      expect(lines(deployed(from), wanted(to, canary))).toEqual([
        expect.stringMatching(
          new RegExp(`^ - services\\[0\\]\\.${role}\\.env: .* v2 serves 100 % .* replace-stable$`),
        ),
      ]);
      expect(lines(deployed(from), wanted(to, canary, ["replace-stable"]))).toEqual([]);
    }
  });

  it("may be made of something else under another name, or while it serves nothing", () => {
    const next = { ...plain, v3: pods("v3", { LEVEL: "debug" }) };
    expect(lines(deployed(v("v1")), wanted(v("v1", "v3", 0), next))).toEqual([]);
    expect(lines(deployed(v("v1", "v2", 100)), wanted(v("v1", "v2", 100), changed))).toEqual([]);
  });

  it("is its owner's business where others have made it, and where nobody knows", () => {
    const { v1, ...others } = changed;
    expect(v1.image).toBe("image:hotfix");
    expect(lines(deployed(v("v1")), wanted(v("v1"), others))).toEqual([]);
    expect(lines(deployed(v("v1"), {}), wanted(v("v1"), changed))).toEqual([]);
  });

  it("names the clusters that differ alone, so that an update that stopped half-way goes on", () => {
    const half = [...deployed(v("v1"), changed, "a"), ...deployed(v("v1"), plain, "b")];
    expect(lines(half, wanted(v("v1"), changed))[0]).toContain(`serves 100 % of ${KEY} in b,`);
  });

  it("is rolled cluster by cluster whenever it changes, and not otherwise", () => {
    const allow = ["replace-stable"] as const;
    expect(rebuiltServices(deployed(v("v1")), wanted(v("v1"), changed, allow))).toEqual([KEY]);
    expect(rebuiltServices(deployed(v("v1")), wanted(v("v1"), plain, allow))).toEqual([]);
    expect(
      rebuiltServices(deployed(v("v1", "v2", 100)), wanted(v("v1", "v2", 100), changed)),
    ).toEqual([]);
  });
});

describe("the way back to what a version was made of", () => {
  const fixed = { ...plain, v2: pods("v2", { LEVEL: "debug" }) };

  it("says what to allow, and leads there once it is allowed", () => {
    const target = (...allow: Exception[]) => ({
      config: "target",
      wanted: wanted(v("v1", "v2", 100), plain, allow),
    });
    const { steps, problems } = planRollback(deployed(v("v2"), fixed), target(), []);
    expect(steps).toBeUndefined();
    expect(problems).toEqual([expect.stringContaining("'allow[0]' replace-stable")]);
    expect(planRollback(deployed(v("v2"), fixed), target("replace-stable"), []).steps).toHaveLength(
      1,
    );
  });

  it("knows what a step has left behind", () => {
    const stop = (split: Split, made: ByVersion) => ({
      config: split,
      wanted: wanted(split, made, ["replace-stable"]),
    });
    const via = [stop(v("v1", "v2", 100), plain)];
    const target = { config: v("v1", "v2", 10), wanted: wanted(v("v1", "v2", 10), plain) };
    const { steps } = planRollback(deployed(v("v2"), fixed), target, via);
    expect(steps?.map(({ config }) => config)).toEqual([v("v1", "v2", 100), v("v1", "v2", 10)]);
  });
});
