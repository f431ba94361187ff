import { beforeEach, describe, expect, it, vi } from "vitest";
import { readDeployed } from "../../../fleet/read-deployed.ts";
import { readNotes } from "../../../fleet/notes.ts";
import type { DeployedCluster } from "../../../lib/deployed.ts";
import { beginRelease, type BeginningStack } from "../../../release/begin-release.ts";
import { problemLine } from "../../../lib/problems.ts";
import { phase } from "../../../release/planner.ts";
import type { Release } from "../../../release/states.ts";
import { parseConfig } from "../../../stacks/config.ts";
import { deployedCluster, split } from "../../helpers/deployed.ts";
import { rawConfig } from "../../helpers/fixtures.ts";
import { previewStep } from "../../helpers/preview-step.ts";

vi.mock(import("../../../fleet/read-deployed.ts"), async (original) => ({
  ...(await original()),
  readDeployed: vi.fn<typeof readDeployed>(),
}));
vi.mock(import("../../../fleet/notes.ts"), async (original) => ({
  ...(await original()),
  readNotes: vi.fn<typeof readNotes>(),
}));

const IMAGE = "registry.example.com/user-service";
const USER = "user/user-service";
const KEPT = { phases: "[10,30,100]" };

let config: ReturnType<typeof rawConfig>;
let release: Release;
let deployed: DeployedCluster[];
let preview: ReturnType<typeof previewStep>;
let done: string[];
let printed: string[];
/** Whether somebody edits the config file while the canary is made. */
let editedMeanwhile: boolean;
/** Updates of the stack, newest first: each with its canary. */
let updates: { result: string; canary: string }[];

/** A stack whose config is the fixture's with the release in it. */
const stack: BeginningStack = {
  name: "prod",
  get release() {
    return release;
  },
  settings: (next) => {
    const services = JSON.parse(next.services ?? "") as unknown;
    const parsed = parseConfig({ ...config, services, weight: Number(next.weight) });
    return parsed.settings
      ? { settings: parsed.settings }
      : { problems: parsed.problems.map(problemLine) };
  },
  states: () =>
    Promise.resolve(
      updates.map(({ result, canary }, i) => ({
        ...{ number: updates.length - i, time: new Date(), who: "", message: "", weight: 0 },
        ...{ result, release: {}, services: [{ service: USER, stable: "v1", canary }] },
        inForce: updates.findIndex((each) => each.result === "succeeded") === i,
      })),
    ),
  configure: (next) => {
    release = next;
    done.push(`config ${next.weight ?? ""}`);
    return Promise.resolve();
  },
  orAsBefore: async (change, use, failed) => {
    const before = release;
    await change();
    try {
      return await use();
    } catch (error) {
      if (!editedMeanwhile) release = before;
      failed(!editedMeanwhile);
      throw error;
    }
  },
  setWeight: (weight) => Promise.resolve(void done.push(`weight ${weight}`)),
  previewAt: (weight) => {
    done.push(`preview ${weight}`);
    return Promise.resolve(preview);
  },
  upAt: (weight, message) => {
    done.push(`up ${weight}: ${message}`);
    return Promise.resolve(weight);
  },
  up: () => Promise.reject(new Error("no update of what the config has is asked for")),
};
const begin = (image = `${IMAGE}:v3`) =>
  beginRelease(stack, [{ service: "user-service", image }], (text) => printed.push(text));
const canary = () =>
  (JSON.parse(release.services ?? "") as ReturnType<typeof rawConfig>["services"])[0]?.canary;

beforeEach(() => {
  editedMeanwhile = false;
  config = rawConfig({ weight: 0 });
  release = { ...KEPT, weight: "0", services: JSON.stringify(config.services) };
  deployed = ["cluster-a", "cluster-b"].map((name) => deployedCluster(name, split("v1", "v2", 0)));
  vi.mocked(readDeployed).mockImplementation(() => Promise.resolve(deployed));
  vi.mocked(readNotes).mockResolvedValue({});
  preview = previewStep("update");
  [done, printed] = [[], []];
  updates = [{ result: "succeeded", canary: "v2" }];
});

const MADE = ["config 0", "preview 0", "up 0: release: 0 %", "weight 0"];

describe("a release by a new image", () => {
  it("writes the canary into the config, and makes it in every cluster at 0 %", async () => {
    release = { ...release, weight: "10" };
    await begin();
    expect(canary()).toEqual({ version: "v3", image: `${IMAGE}:v3` });
    expect(release).toMatchObject({ ...KEPT, weight: "0" });
    expect(done).toEqual(MADE);
    expect(printed).toEqual([
      "user/user-service: v3 is the canary in the config",
      `made at 0 % in cluster-a and cluster-b: user/user-service v3 (${IMAGE}:v3)`,
    ]);
  });

  it("completes what an earlier try has left", async () => {
    release = { ...release, services: (release.services ?? "").replaceAll("v2", "v3") };
    await begin();
    expect(done).toEqual(MADE);
    expect(printed).toEqual([expect.stringMatching(/^made at 0 % in /)]);
  });

  it("leaves the config as it was if the canary cannot be made, and says so", async () => {
    const before = release;
    const failing = {
      ...stack,
      release: before,
      upAt: () => Promise.reject(new Error("user-service-v3 was not ready")),
    };
    await expect(
      beginRelease(failing, [{ service: "user-service", image: `${IMAGE}:v3` }], (text) =>
        printed.push(text),
      ),
    ).rejects.toThrow("user-service-v3 was not ready");
    expect(release).toBe(before);
    expect(done).toEqual(["config 0", "preview 0"]);
    expect(printed).toEqual([
      "user/user-service: v3 is the canary in the config",
      `user/user-service v3 (${IMAGE}:v3) was not made: the config is as it was before. What is there of it has no requests, and goes with the next update without it; or run the same command again.`,
    ]);
    editedMeanwhile = true;
    await expect(
      beginRelease(failing, [{ service: "user-service", image: `${IMAGE}:v3` }], (text) =>
        printed.push(text),
      ),
    ).rejects.toThrow("user-service-v3 was not ready");
    expect(printed.at(-1)).toContain(
      "was not made: the config was edited meanwhile, so it keeps the canary: take it out yourself.",
    );
  });

  it("goes on with one that has requests already, and does nothing", async () => {
    deployed = [deployedCluster("cluster-a", split("v1", "v2", 30))];
    await begin(`${IMAGE}:v2`);
    expect(done).toEqual([]);
  });

  it("goes on in another checkout, whose config knows nothing of the canary that a rollout holds", async () => {
    const holds = (image: string, end?: { result: "done" | "stopped"; reason: string }) => {
      const at = Date.now();
      const progress = { ...phase(`${USER} v3 (${image})`, 30, at), ...(end && { end }) };
      vi.mocked(readNotes).mockResolvedValue({
        progress: JSON.stringify({ format: 1, at, progress }),
      });
    };
    const at = (a: number, b: number, version = "v3") => {
      deployed = [
        deployedCluster("cluster-a", split("v1", version, a)),
        deployedCluster("cluster-b", split("v1", version, b)),
      ];
    };
    holds(`${IMAGE}:v3`);
    at(30, 30);
    await begin();
    expect(canary()).toEqual({ version: "v3", image: `${IMAGE}:v3` });
    expect(release).toMatchObject({ ...KEPT, weight: "30" });
    expect(done).toEqual(["config 30"]);
    expect(printed).toEqual([
      `a rollout holds ${USER} v3 (${IMAGE}:v3) at 30 % already: it goes on, and the config gets what the clusters have`,
    ]);

    done = [];
    release = { ...release, weight: "0", services: JSON.stringify(config.services) };
    at(30, 10);
    await expect(begin()).rejects.toThrow(/^A rollout of these canaries .* the clusters differ/);
    const refused = /^No release can begin while a canary serves requests: v/;
    at(30, 30, "v7");
    await expect(begin()).rejects.toThrow(refused);
    at(30, 30);
    holds(`${IMAGE}-other:v3`);
    await expect(begin()).rejects.toThrow(refused);
    holds(`${IMAGE}:v3`, { result: "stopped", reason: "nothing was changed" });
    await expect(begin()).rejects.toThrow(refused);
    expect(done).toEqual([]);
    holds(`${IMAGE}:v3`, { result: "done", reason: "100 % has passed" });
    at(100, 100);
    await begin();
    expect(done).toEqual(["config 100"]);
  });

  it("is refused while another canary has requests, in one cluster or of another name than the config's", async () => {
    deployed = [
      deployedCluster("cluster-a", split("v1", "v2", 0)),
      deployedCluster("cluster-b", split("v1", "v7", 30)),
    ];
    await expect(begin()).rejects.toThrow(
      new Error(
        "No release can begin while a canary serves requests: v7 of user/user-service 30 % in cluster-b. At 100 %, make it the stable version (docs/operations.md#promotion). Or take it back: npm run release -- rollback --stack prod --to zero.",
      ),
    );
    expect(done).toEqual([]);
  });

  it("is refused while a cluster does not answer", async () => {
    deployed = [
      deployedCluster("cluster-a", split("v1", "v2", 0)),
      { ...deployedCluster("cluster-b", undefined), unreachable: "connect ECONNREFUSED" },
    ];
    await expect(begin()).rejects.toThrow(
      new Error(
        "No release can begin while a cluster cannot be reached:\n - cluster-b: connect ECONNREFUSED",
      ),
    );
    expect(done).toEqual([]);
  });

  it("is refused while a command tries another canary at 0 %, which would raise this one", async () => {
    const watched = (agoMs: number, end?: { result: "done"; reason: string }, canary = "v2") => {
      const at = Date.now() - agoMs;
      const progress = { ...phase(`${USER} ${canary}`, 0, at), ...(end && { end }) };
      vi.mocked(readNotes).mockResolvedValue({
        progress: JSON.stringify({ format: 1, at, progress }),
        watch: JSON.stringify({ at, by: "ann on laptop (pid 7)" }),
      });
    };
    watched(2_000);
    await expect(begin()).rejects.toThrow(
      /^No release can begin while ann on laptop \(pid 7\) rolls out user\/user-service v2, seen \d s ago: interrupt that first \(Ctrl-C\), or let it end\.$/,
    );
    expect(done).toEqual([]);
    watched(3_600_000);
    await begin();
    watched(2_000, { result: "done", reason: "100 % has passed" });
    await begin(`${IMAGE}:v4`);
    // Interrupted just now, and begun again in another checkout.
    watched(2_000, undefined, `v5 (${IMAGE}:v5)`);
    await begin(`${IMAGE}:v5`);
    expect(done).toEqual([...MADE, ...MADE, ...MADE]);
  });

  it("is refused with an image that the config may not have, before the file is written", async () => {
    await expect(begin(`${IMAGE}:latest`)).rejects.toThrow(
      /^With these images the configuration of stack prod is invalid:\n.*services\[0\]\.canary\.image.* must be an image with a tag other than latest/,
    );
    expect(done).toEqual([]);
  });

  it("deletes the canary that it replaces, and nothing else", async () => {
    preview = previewStep("delete", "Deployment", "user-service-v2");
    await begin();
    expect(done).toEqual(MADE);
    release = { ...release, services: JSON.stringify(config.services) };
    preview = previewStep("delete", "Deployment", "user-service-v1");
    await expect(begin()).rejects.toThrow("delete Deployment user/user-service-v1 in cluster-b");
    expect(done.filter((each) => each.startsWith("up"))).toHaveLength(1);
  });

  it("deletes the canary that it replaces in a second try, too, after updates that have failed", async () => {
    release = { ...release, services: (release.services ?? "").replaceAll("v2", "v3") };
    for (const canary of ["v2", "v4"]) {
      updates = [
        { result: "failed", canary: "v3" },
        { result: "failed", canary: "v4" },
        { result: "failed", canary: "v1" },
        { result: "succeeded", canary: "v2" },
        { result: "succeeded", canary: "v0" },
      ];
      preview = previewStep("delete", "Deployment", `user-service-${canary}`);
      await begin();
    }
    expect(done).toEqual([...MADE, ...MADE]);
    for (const version of ["v0", "v1", "v3"]) {
      preview = previewStep("delete", "Deployment", `user-service-${version}`);
      await expect(begin()).rejects.toThrow(`delete Deployment user/user-service-${version}`);
    }
    preview = previewStep("delete", "Deployment", "other-service-v2");
    await expect(begin()).rejects.toThrow("delete Deployment user/other-service-v2");
  });
});
