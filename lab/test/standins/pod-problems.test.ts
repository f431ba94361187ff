import { expect, test } from "vitest";
import { podProblem, selectorOf } from "../../standins/kubernetes-provider/pod-problems.ts";
import type { Fields } from "../../standins/kubernetes-provider/values.ts";

const pod = (status: Fields, nodeName?: string): Fields => ({ spec: { nodeName }, status });
const container = (rest: Fields): Fields => ({
  phase: "Running",
  containerStatuses: [{ name: "app", ready: false, ...rest }],
});

test.each<[string, Fields, string]>([
  [
    "an image that cannot be pulled",
    container({
      state: { waiting: { reason: "ImagePullBackOff", message: 'Back-off pulling image "nope"' } },
    }),
    'container "app": ImagePullBackOff: Back-off pulling image "nope"',
  ],
  [
    "a crash loop, with the last exit code",
    container({
      restartCount: 3,
      state: { waiting: { reason: "CrashLoopBackOff" } },
      lastState: { terminated: { exitCode: 2 } },
    }),
    'container "app": CrashLoopBackOff (last exit code 2)',
  ],
  [
    "a container that has just failed",
    container({ state: { terminated: { exitCode: 1, reason: "Error" } } }),
    'container "app": Error, exit code 1',
  ],
  [
    "a pod that fits no node",
    {
      phase: "Pending",
      conditions: [
        {
          type: "PodScheduled",
          status: "False",
          reason: "Unschedulable",
          message: "0/1 nodes are available: insufficient memory.",
        },
      ],
    },
    "Unschedulable: 0/1 nodes are available: insufficient memory.",
  ],
  [
    "a readiness probe that fails",
    container({ state: { running: {} } }),
    'container "app" is not ready',
  ],
  [
    "a pod that was thrown out",
    { phase: "Failed", reason: "Evicted", message: "low on disk" },
    "Evicted: low on disk",
  ],
  ["a pod without a node", { phase: "Pending" }, "not on any node yet"],
])("tells of %s", (_name, status, reason) => {
  expect(podProblem(pod(status))?.reason).toBe(reason);
});

test("tells of an init container before the others, which only wait for it", () => {
  const status: Fields = {
    initContainerStatuses: [
      { name: "init", ready: false, state: { waiting: { reason: "ErrImagePull" } } },
    ],
    containerStatuses: [
      { name: "app", ready: false, state: { waiting: { reason: "PodInitializing" } } },
    ],
  };
  expect(podProblem(pod(status))?.container?.container).toBe("init");
});

test("a crashed container's last run is the one to read the log of", () => {
  const crashed = container({
    restartCount: 1,
    state: { waiting: { reason: "CrashLoopBackOff" } },
  });
  expect(podProblem(pod(crashed))?.container?.crashed).toBe(true);
});

test("a ready pod and one that has succeeded have no problem", () => {
  expect(podProblem(pod({ conditions: [{ type: "Ready", status: "True" }] }))).toBeUndefined();
  expect(podProblem(pod({ phase: "Succeeded" }))).toBeUndefined();
});

test("selectors of workloads and of services are written as list requests want them", () => {
  expect(selectorOf({ spec: { selector: { matchLabels: { app: "web", tier: "x" } } } })).toBe(
    "app=web,tier=x",
  );
  expect(selectorOf({ spec: { selector: { app: "web" } } })).toBe("app=web");
  expect(selectorOf({ spec: {} })).toBe("");
});
