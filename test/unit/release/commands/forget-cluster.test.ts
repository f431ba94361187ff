import { beforeEach, describe, expect, it, vi } from "vitest";
import { forget } from "../../../../release/commands/forget-cluster.ts";
import { parseState } from "../../../../release/eject/state.ts";
import { ReleaseStack } from "../../../../release/stack.ts";

const PROVIDER = "urn:pulumi:prod::istio-canary::pulumi:providers:kubernetes::cluster-b";
const STATE = JSON.stringify({
  deployment: {
    resources: [{ urn: PROVIDER, type: "pulumi:providers:kubernetes", custom: true }],
  },
});

const log = vi.spyOn(console, "log");

/** The stack as a test wants it, and what is done to it. */
function stackWith(more: Partial<Record<"away" | "clusterNames", readonly string[]>> = {}) {
  const stack = {
    away: ["cluster-b"],
    clusterNames: ["cluster-a", "cluster-b", "cluster-c"],
    exportState: vi.fn(() => Promise.resolve(parseState(STATE))),
    importState: vi.fn(() => Promise.resolve()),
    removeCluster: vi.fn(() => Promise.resolve()),
    ...more,
  };
  vi.spyOn(ReleaseStack, "open").mockResolvedValue(stack as unknown as ReleaseStack);
  return stack;
}

beforeEach(() => {
  log.mockReset().mockReturnValue();
});

describe("forget-cluster", () => {
  it("says what it does, then takes the cluster out of state and config", async () => {
    const stack = stackWith();
    await forget("cluster-b", { stack: "prod", yes: true });
    expect(log.mock.calls.join("\n")).toBe(
      [
        "Forgets cluster-b in stack prod:",
        " - 1 resource of Pulumi's state is forgotten. Nothing is deleted there: should the cluster come back, all of it still runs",
        " - cluster-b leaves the config",
        " - the next pulumi up deletes in the other clusters what they have for it: 0 resources",
        "cluster-b is forgotten. Now: pulumi up --stack prod",
      ].join("\n"),
    );
    expect(stack.importState).toHaveBeenCalledWith({ deployment: { resources: [] } });
    expect(stack.removeCluster).toHaveBeenCalledWith("cluster-b");
  });

  it("names the flags for those that are still away", async () => {
    stackWith({ away: ["cluster-b", "cluster-c"] });
    await forget("cluster-b", { stack: "prod", yes: true });
    expect(log.mock.lastCall).toEqual([
      "cluster-b is forgotten. Now: pulumi up --stack prod --exclude '**:providers:kubernetes::cluster-c' --exclude-dependents",
    ]);
  });

  it("changes nothing in a dry run, nor where nobody can be asked", async () => {
    const stack = stackWith();
    await forget("cluster-b", { stack: "prod", dryRun: true });
    await expect(forget("cluster-b", { stack: "prod" })).rejects.toThrow(
      "There is no terminal to ask: pass --yes. Nothing was changed.",
    );
    expect(stack.importState).not.toHaveBeenCalled();
    expect(stack.removeCluster).not.toHaveBeenCalled();
  });

  it("forgets no cluster that is not away, that there is not, or that leaves one alone", async () => {
    for (const [more, name, text] of [
      [
        { away: [] },
        "cluster-b",
        "cluster-b is not away: all that is there would stay and nobody would manage it. If it answers, take it out of clusters and run pulumi up, which deletes what is there. If it is gone: pulumi config set --path 'away[0]' cluster-b, then run this command again.",
      ],
      [{}, "cluster-x", "The config has no cluster cluster-x: nothing was changed."],
      [
        { clusterNames: ["cluster-a", "cluster-b"] },
        "cluster-b",
        "Only cluster-a would be left, and a mesh has at least two clusters: add the successor of cluster-b to clusters and run pulumi up, with the flags that it names. Then run this command again; nothing was changed.",
      ],
    ] as const) {
      const stack = stackWith(more);
      await expect(forget(name, { stack: "prod", yes: true })).rejects.toThrow(text);
      expect(stack.importState).not.toHaveBeenCalled();
    }
  });

  it("does not write over what another update has changed meanwhile", async () => {
    const stack = stackWith();
    stack.exportState.mockResolvedValueOnce(
      parseState(STATE.replace('"custom":true', '"custom":false')),
    );
    await expect(forget("cluster-b", { stack: "prod", yes: true })).rejects.toThrow(
      "Another update has changed the stack meanwhile: run this command again. Nothing was changed.",
    );
    expect(stack.importState).not.toHaveBeenCalled();
  });
});
