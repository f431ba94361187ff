import { delimiter } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { ClusterClient } from "../../../fleet/cluster-client.ts";
import { clusterProvider } from "../../../stacks/cluster-provider.ts";
import { kubeconfigFile } from "../../helpers/fixtures.ts";
import { recordProgram } from "../../helpers/mocks.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

/** What the provider of a cluster gets. */
async function inputsOf(access: { context: string; kubeconfig?: string }) {
  const program = await recordProgram();
  clusterProvider({ name: "cluster-b", ...access });
  await program.settle();
  return program.named("cluster-b").inputs;
}

const kubeconfigOf = async (access: { context: string; kubeconfig?: string }) =>
  (await inputsOf(access))["kubeconfig"];

it("a provider is that of the cluster by its name, whatever its kubeconfig says", async () => {
  expect(await inputsOf({ context: "prod-b" })).toMatchObject({ clusterIdentifier: "cluster-b" });
});

it("a provider gets the one file of the list in $KUBECONFIG that has the context", async () => {
  const [a, b] = [kubeconfigFile(["a"]), kubeconfigFile(["b"])];
  vi.stubEnv("KUBECONFIG", [a, b].join(delimiter));
  expect(await kubeconfigOf({ context: "prod-b" })).toBe(b);
  expect(await kubeconfigOf({ context: "prod-b", kubeconfig: a })).toBe(a);
});

it("a provider gets the one file in $KUBECONFIG as it is", async () => {
  vi.stubEnv("KUBECONFIG", "./config");
  expect(await kubeconfigOf({ context: "prod-b" })).toBe("./config");
});

it("a client reads the same file, also where others have a cluster of that name", () => {
  const [a, b] = [kubeconfigFile(["a", "c"]), kubeconfigFile(["b", "c"])];
  vi.stubEnv("KUBECONFIG", [a, b].join(delimiter));
  const { kubeConfig } = new ClusterClient({ name: "cluster-b", context: "prod-b" });
  expect(kubeConfig.getCurrentCluster()?.server).toBe("https://b.example.com:6443");
});
