// @module-tag campaign
import { afterAll, beforeAll, expect, test } from "vitest";
import { Project } from "./project.ts";
import { target } from "./target.ts";

const { isLab } = target;

let project: Project;

beforeAll(async () => {
  project = await Project.create();
});
afterAll(async () => project.destroy());

/** A deployment of one pod with one container, and how long it may take. */
const deployment = (container: string, timeout = "15s", replicas = 1) => `
const labels = { app: "web" };
new k8s.apps.v1.Deployment("web", {
  metadata: meta("web"),
  spec: {
    replicas: ${replicas},
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: { terminationGracePeriodSeconds: 1, containers: [{ name: "app", imagePullPolicy: "IfNotPresent", ${container} }] },
    },
  },
}, { provider, customTimeouts: { create: "${timeout}", update: "${timeout}" } });
`;
const failure = async () => {
  const { ok, text } = await project.pulumi("up", "--yes", "--skip-preview");
  expect(ok).toBe(false);
  return text;
};

test("an image that cannot be pulled is named, with the pod", async ({ skip }) => {
  skip(!isLab, "only the lab is known to have a node");
  await project.program(deployment('image: "lab.invalid/none:1"'));
  expect(await failure()).toMatch(
    /pod web-\S+: container "app": (ErrImagePull|ImagePullBackOff).*lab\.invalid\/none:1/s,
  );
});

test("a crash loop is told with the last log line", async ({ skip }) => {
  skip(!isLab, "only the lab is known to have a node");
  await project.program(
    deployment(
      'image: "docker.io/lab/client:1", command: ["sh", "-c", "echo no config for me; exit 3"],' +
        // Without a probe it would count as ready for the moment that it runs.
        'readinessProbe: { initialDelaySeconds: 5, exec: { command: ["true"] } }',
    ),
  );
  const text = await failure();
  expect(text).toMatch(
    /container "app": (CrashLoopBackOff \(last exit code 3\)|Error, exit code 3)/,
  );
  expect(text).toContain("last log line: no config for me");
});

test("a pod that fits no node says why", async ({ skip }) => {
  skip(!isLab, "only the lab is known to have a node");
  await project.program(
    deployment('image: "registry.k8s.io/pause:3.10", resources: { requests: { memory: "1Ti" } }'),
  );
  expect(await failure()).toMatch(/Unschedulable: .*Insufficient memory/);
});

test("pods that a quota refuses are reported", async ({ skip }) => {
  skip(!isLab, "the official provider has words of its own for it");
  await project.program(`
    const quota = new k8s.core.v1.ResourceQuota("quota", {
      metadata: meta("quota"), spec: { hard: { pods: "0" } } }, { provider });
    ${deployment('image: "registry.k8s.io/pause:3.10"', "8s").replace("{ provider,", "{ provider, dependsOn: [quota],")}
  `);
  expect(await failure()).toMatch(/exceeded quota: quota/);
  await project.kubectl("delete", "resourcequota", "quota");
});

test("what has failed is repaired by the next update, and a rollout is waited for", async ({
  skip,
}) => {
  skip(!isLab, "only the lab is known to have a node");
  await project.program(
    deployment('image: "registry.k8s.io/pause:3.10"', "90s", 2) +
      `
      new k8s.core.v1.Service("service", {
        metadata: meta("service"), spec: { selector: labels, ports: [{ port: 80 }] } }, { provider });
      `,
  );
  await project.up();
  expect(
    await project.kubectl(
      ...["get", "deployment", "web", "--output", "jsonpath={.status.availableReplicas}"],
    ),
  ).toBe("2");
  expect(await project.preview()).toEqual({});
});
