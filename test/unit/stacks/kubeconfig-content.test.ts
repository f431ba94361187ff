import { expect, it } from "vitest";
import { problemLine } from "../../../lib/problems.ts";
import { clusterProvider } from "../../../stacks/cluster-provider.ts";
import { parseConfig } from "../../../stacks/config.ts";
import { describeMesh } from "../../../stacks/mesh-stack.ts";
import { plainKubeconfig } from "../../../stacks/misplaced-secrets.ts";
import { kubeconfigText } from "../../helpers/fake-api-server.ts";
import { rawConfig } from "../../helpers/fixtures.ts";
import { recordProgram, secretValue } from "../../helpers/mocks.ts";

const content = kubeconfigText({
  "prod-a": "https://a.example.com:6443",
  "prod-b": "https://b.example.com:6443",
});

it("the content of a kubeconfig leads to the clusters, and is in no output", () => {
  const { settings, problems } = parseConfig({ ...rawConfig(), kubeconfig: content });
  expect(problems).toEqual([]);
  if (!settings || !("certificates" in settings)) throw new Error("the fixture is wrong");
  expect(settings.clusters.map(({ server }) => server.server)).toEqual([
    "https://a.example.com:6443",
    "https://b.example.com:6443",
  ]);
  expect(JSON.stringify(describeMesh(settings))).not.toContain("example.com:6443");
});

it("no message has any of it", () => {
  const { problems } = parseConfig({ ...rawConfig({ clusters: 3 }), kubeconfig: content });
  expect(problems.map(problemLine)).toEqual([
    ' - clusters[2].context: must be a context of the kubeconfig: no such context in the kubeconfig in the configuration, only prod-a, prod-b, got "prod-c". Name a context that kubectl config get-contexts lists, or set kubeconfig to the file that has it.',
  ]);
});

it("it is refused under a cluster, where nothing encrypts it, and nothing of it is shown", () => {
  const clusters = rawConfig().clusters.map((cluster) => ({
    ...cluster,
    context: "prod-a",
    kubeconfig: JSON.stringify({ users: [{ user: { token: "hush" } }] }),
  }));
  const lines = parseConfig({ ...rawConfig(), clusters }).problems.map(problemLine);
  expect(lines).toContain(
    " - clusters[0].kubeconfig: must be the path of a file: content here would be in the stack's file in plain text. Put the contexts of all clusters into one kubeconfig, and set its content with: pulumi config set --secret kubeconfig < FILE. Credentials that were committed must be replaced.",
  );
  expect(lines.join("\n")).not.toContain("hush");
});

it("what it says of a user is refused by the key of the cluster, and not while a cluster is asked", () => {
  const { problems } = parseConfig({
    ...rawConfig(),
    kubeconfig: content.replace("user: {}", "user: {exec: {command: aws, args: [7]}}"),
  });
  expect(problems.map(problemLine)[0]).toMatch(
    /^ - clusters\[0\]\.context: must be a context of the kubeconfig: exec of user me cannot be used: .*args\[0\]/,
  );
});

it("a provider gets it as a secret", async () => {
  const program = await recordProgram();
  clusterProvider({ name: "cluster-a", context: "prod-a", kubeconfig: content });
  await program.settle();
  expect(secretValue(program.named("cluster-a").inputs["kubeconfig"])).toBe(content);
});

it("it is refused in plain text, and a path is not", () => {
  expect(plainKubeconfig(content, false).map(problemLine)).toEqual([
    " - kubeconfig: must be encrypted, since it is the content of a kubeconfig: it would be in the stack's file and in the state in plain text. Set it with: pulumi config set --secret kubeconfig < FILE. Or set the path of the file.",
  ]);
  expect(plainKubeconfig(content, true)).toEqual([]);
  expect(plainKubeconfig("/home/me/.kube/config", false)).toEqual([]);
});
