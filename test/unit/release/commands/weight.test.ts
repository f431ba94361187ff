import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readDeployed } from "../../../../fleet/read-deployed.ts";
import type { DeployedCluster } from "../../../../lib/deployed.ts";
import { weight } from "../../../../release/commands/weight.ts";
import { numberIn, setNumber } from "../../../../release/config-file.ts";
import { NoCanary, openRelease, type OpenRelease } from "../../../../release/open.ts";
import { phase } from "../../../../release/planner.ts";
import { releaseName } from "../../../../release/release-settings.ts";
import { deployedCluster, split } from "../../../helpers/deployed.ts";
import { settings as fixture } from "../../../helpers/fixtures.ts";

vi.mock(import("../../../../release/open.ts"), async (original) => ({
  ...(await original()),
  openRelease: vi.fn<typeof openRelease>(),
}));
vi.mock(import("../../../../fleet/read-deployed.ts"), async (original) => ({
  ...(await original()),
  readDeployed: vi.fn<typeof readDeployed>(),
}));

const KEY = "istio-canary:weight";

let dir: string;
let file: string;
let printed: string[];
let deployed: DeployedCluster[];

const git = async (...args: string[]) =>
  (
    await execa("git", ["-c", "user.name=t", "-c", "user.email=t@example.com", ...args], {
      cwd: dir,
    })
  ).stdout;

async function commit(text: string): Promise<string> {
  await writeFile(file, text);
  await git("add", ".");
  await git("commit", "--quiet", "--allow-empty", "--message", "a change");
  return git("rev-parse", "HEAD");
}

/** The release as it is opened from the file as it is now. */
async function opened(): Promise<OpenRelease> {
  const settings = fixture({ weight: numberIn(await readFile(file, "utf8"), KEY) ?? 0 });
  return {
    settings,
    clusters: [],
    journal: {
      read: () => Promise.resolve({ progress: phase(releaseName(settings), 30, 0) }),
    },
    stack: {
      configFile: file,
      weightIn: (text: string) => numberIn(text, KEY),
      setWeight: (value: number) => setNumber(file, KEY, value),
    },
  } as unknown as OpenRelease;
}

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "weight-"));
  file = path.join(dir, "Pulumi.prod.yaml");
  await git("init", "--quiet");
  printed = [];
  vi.spyOn(console, "log").mockImplementation((text: string) => printed.push(text));
  deployed = ["cluster-a", "cluster-b"].map((name) => deployedCluster(name, split("v1", "v2", 30)));
  vi.mocked(readDeployed).mockImplementation(() => Promise.resolve(deployed));
  vi.mocked(openRelease).mockImplementation(opened);
});
afterEach(async () => {
  await rm(dir, { recursive: true });
});

const at = (value: number, more = "") => `config:\n  ${KEY}: ${value} # the phase\n${more}`;

describe("release weight", () => {
  it("keeps a merge of something else from undoing a rollout", async () => {
    const before = await commit(at(0));
    await commit(at(0, "  istio-canary:phases: [10, 30, 100]\n"));
    await weight({ stack: "prod", since: before });
    expect(await readFile(file, "utf8")).toBe(at(30, "  istio-canary:phases: [10, 30, 100]\n"));
    expect(printed).toEqual(["30 % instead of 0 %: a rollout holds it"]);
  });

  it("leaves a merge alone that sets the weight", async () => {
    const before = await commit(at(10));
    await commit(at(0));
    await weight({ stack: "prod", since: before });
    expect(await readFile(file, "utf8")).toBe(at(0));
    expect(printed).toEqual(["0 %: the change sets it, from 10 %"]);
  });

  it("has a merge that lowers the weight wait for no cluster", async () => {
    const before = await commit(at(10));
    await commit(at(0));
    vi.mocked(readDeployed).mockRejectedValue(new Error("no cluster answers"));
    await weight({ stack: "prod", since: before });
    expect(printed).toEqual(["0 %: the change sets it, from 10 %"]);
  });

  it.each(["0000000000000000000000000000000000000000", "the commit before the file was there"])(
    "leaves a config alone that is new since %s",
    async (since) => {
      await rm(file, { force: true });
      await git("commit", "--quiet", "--allow-empty", "--message", "nothing yet");
      const first = await git("rev-parse", "HEAD");
      await commit(at(0));
      await weight({ stack: "prod", since: since.startsWith("0") ? since : first });
      expect(printed).toEqual(["0 %: the config did not have it before"]);
    },
  );

  it("knows the file by its content where it has another name or folder since", async () => {
    const more =
      "  # What the service is, and where it runs.\n  istio-canary:phases: [10, 30, 100]\n";
    const before = await commit(at(0, more));
    await git("tag", "--annotate", "--message", "a release", "v1");
    await mkdir(path.join(dir, "deploy"));
    await git("mv", "Pulumi.prod.yaml", "deploy/Pulumi.production.yaml");
    file = path.join(dir, "deploy", "Pulumi.production.yaml");
    await commit(at(0, more));
    for (const since of [before, "v1"]) {
      await setNumber(file, KEY, 0);
      await weight({ stack: "production", since });
    }
    expect(printed).toEqual(Array(2).fill("30 % instead of 0 %: a rollout holds it"));
    await setNumber(file, KEY, 10);
    await weight({ stack: "production", since: before });
    expect(printed.at(-1)).toBe("10 %: the change sets it, from 0 %");
  });

  it("says how to fetch a commit that is not there, and changes nothing", async () => {
    await commit(at(0));
    await expect(weight({ stack: "prod", since: "1234567" })).rejects.toThrow(
      "--since: Git does not know the commit 1234567 here. Fetch the history first: fetch-depth: 0 of actions/checkout, GIT_DEPTH: 0 in GitLab. Git says: fatal: ",
    );
    expect(await readFile(file, "utf8")).toBe(at(0));
  });

  it("fails while a cluster cannot be read: an update might undo what it has", async () => {
    await commit(at(0));
    deployed = deployed.map((cluster, i) =>
      i === 1 ? { ...cluster, routes: new Map(), unreachable: "connection refused" } : cluster,
    );
    await expect(weight({ stack: "prod" })).rejects.toThrow(
      "It is not known which weight a rollout holds:\n - cluster-b: connection refused",
    );
    expect(await readFile(file, "utf8")).toBe(at(0));
  });

  it("has nothing to do without a canary", async () => {
    vi.mocked(openRelease).mockRejectedValue(new NoCanary("no canary"));
    await weight({ stack: "prod" });
    expect(printed).toEqual(["No service has a canary: the weight stays as the config has it."]);
  });

  it("passes on why a stack cannot be opened", async () => {
    vi.mocked(openRelease).mockRejectedValue(new Error("no stack"));
    await expect(weight({ stack: "prod" })).rejects.toThrow("no stack");
  });
});
