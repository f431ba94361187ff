import { execa } from "execa";
import { afterAll, beforeAll } from "vitest";

import { labEnvironment } from "../../lab/environment.ts";
import { labSettings } from "../../lab/settings.ts";

const settings = labSettings();

function kubectlIn(namespace: string, cluster: string, args: readonly string[], input?: string) {
  return execa("kubectl", ["--context", cluster, "--namespace", namespace, ...args], {
    env: labEnvironment(settings),
    ...(input === undefined ? { stdin: "ignore" } : { input }),
  });
}

function execInPod(namespace: string, cluster: string, command: readonly string[]) {
  return execa(
    "kubectl",
    ["--context", cluster, "--namespace", namespace, "exec", "client", "--", ...command],
    { env: labEnvironment(settings), stdin: "ignore", reject: false },
  );
}

/**
 * A client outside of any mesh for the tests of one file, in a namespace of its own in every cluster, ready
 * before the first of them.
 *
 * @param objects manifests of what else is in the namespace. @default nothing
 */
export function withPlainClient(
  namespace: string,
  objects: readonly Readonly<Record<string, unknown>>[] = [],
) {
  const names = settings.clusters.map(({ name }) => name);
  const manifest = {
    apiVersion: "v1",
    kind: "List",
    items: [
      { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
      {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "client", namespace },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [
            { name: "client", image: "docker.io/lab/client:1", command: ["sleep", "infinity"] },
          ],
        },
      },
      ...objects,
    ],
  };
  const kubectl = (cluster: string, args: readonly string[], input?: string) =>
    kubectlIn(namespace, cluster, args, input);
  /** Runs a command in the client's pod. */
  const inPod = (cluster: string, ...command: readonly string[]) =>
    execInPod(namespace, cluster, command);
  /** Has the client call the API server by its name in DNS; tells the answer and who gave it. */
  const asksApiServer = async (cluster: string): Promise<string> => {
    const options = ["--silent", "--show-error", "--insecure", "--max-time", "10"];
    const format = ["--write-out", " from %{remote_ip}"];
    const { stdout, stderr } = await inPod(
      cluster,
      ...["curl", ...options, ...format, "https://kubernetes.default.svc.cluster.local/livez"],
    );
    return stdout + stderr;
  };
  beforeAll(async () => {
    await Promise.all(
      names.map(async (name) => {
        const apply = ["apply", "--server-side", "-f", "-"];
        await kubectl(name, apply, JSON.stringify(manifest));
        const wait = ["wait", "--for=condition=Ready", "--timeout=60s", "pod", "--all"];
        await kubectl(name, wait);
      }),
    );
  });
  afterAll(async () => {
    await Promise.all(names.map((name) => kubectl(name, ["delete", "namespace", namespace])));
  });
  return { kubectl, inPod, asksApiServer };
}
