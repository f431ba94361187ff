import { describe, expect, it } from "vitest";
import {
  deleteCommand,
  HELM_WITHIN_MS,
  judgeRecords,
  newest,
  recordText,
  type HelmRecord,
} from "../../../lib/helm-records.ts";

const began = new Date("2026-01-02T03:04:05Z");
const after = (ms: number) => new Date(began.getTime() + ms);

function record(revision: number, status: string): HelmRecord {
  return {
    ...{ namespace: "istio-system", release: "istiod", revision, status, since: began },
    secret: `sh.helm.release.v1.istiod.v${revision}`,
  };
}

const deployed = record(1, "deployed");
const upgrade = record(2, "pending-upgrade");
const installation = record(1, "pending-install");

describe("before an update of a release", () => {
  it.each([
    [[]],
    [[deployed]],
    [[record(10, "deployed"), record(9, "pending-upgrade")]],
    [[record(1, "superseded"), record(2, "failed")]],
  ])("nothing is in the way: %j", (records) => {
    expect(judgeRecords(records, "update", after(0))).toEqual({ kind: "clear" });
  });

  it("an upgrade that has begun is waited for, as long as a Helm can be at work", () => {
    const until = after(HELM_WITHIN_MS);
    const verdict = { kind: "wait", record: upgrade, until };
    expect(judgeRecords([deployed, upgrade], "update", after(0))).toEqual(verdict);
    expect(judgeRecords([deployed, upgrade], "update", after(HELM_WITHIN_MS - 1))).toEqual(verdict);
  });

  it.each([
    [[upgrade, deployed]],
    [[upgrade, record(1, "superseded")]],
    [[record(2, "pending-rollback"), record(1, "failed")]],
  ])("one that nobody can be at work on was interrupted: %j", (records) => {
    expect(judgeRecords(records, "update", after(HELM_WITHIN_MS))).toEqual({
      kind: "interrupted",
      record: records[0],
    });
  });

  it.each([[[installation]], [[upgrade]]])(
    "Helm has nothing to go on from where no other revision is there: %j",
    (records) => {
      expect(judgeRecords(records, "update", after(HELM_WITHIN_MS))).toEqual({
        kind: "unclear",
        record: records[0],
      });
    },
  );
});

describe("before a release is created", () => {
  it("nothing is in the way where there is none", () => {
    expect(judgeRecords([], "create", after(0))).toEqual({ kind: "clear" });
  });

  it("an installation that was interrupted begins anew, once nobody can be at work on it", () => {
    const until = after(HELM_WITHIN_MS);
    expect(judgeRecords([installation], "create", after(1))).toEqual({
      ...{ kind: "wait", record: installation, until },
    });
    expect(judgeRecords([installation], "create", until)).toEqual({
      kind: "interrupted",
      record: installation,
    });
  });

  it.each([[[deployed]], [[record(1, "failed")]], [[upgrade]], [[deployed, upgrade]]])(
    "what is there may be somebody else's: %j",
    (records) => {
      expect(judgeRecords(records, "create", after(HELM_WITHIN_MS))).toEqual({
        kind: "unclear",
        record: newest(records),
      });
    },
  );
});

describe("a person", () => {
  it("is told what was begun", () => {
    expect(recordText(upgrade)).toBe(
      "Helm's upgrade of istio-system/istiod (revision 2, begun 2026-01-02T03:04:05.000Z)",
    );
  });

  it("is told a command that a shell takes as it is", () => {
    const end = "--namespace istio-system delete secret sh.helm.release.v1.istiod.v2";
    expect(deleteCommand({ context: "prod-a" }, upgrade)).toBe(`kubectl --context prod-a ${end}`);
    const odd = { context: "me@it's", kubeconfig: "/home/me/my files/config" };
    expect(deleteCommand(odd, upgrade)).toBe(
      `kubectl --kubeconfig '/home/me/my files/config' --context 'me@it'\\''s' ${end}`,
    );
  });
});
