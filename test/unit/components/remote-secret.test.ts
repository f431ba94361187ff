import { load } from "js-yaml";
import { describe, expect, it } from "vitest";
import { RemoteSecret, type RemoteSecretArgs } from "../../../components/index.ts";
import { children, record } from "../../helpers/component.ts";
import { secretValue } from "../../helpers/mocks.ts";

const apiServer = { server: "https://b.example.com:6443", certificateAuthority: "Y2E=" };
const remoteSecret = (more: Partial<RemoteSecretArgs> = {}) =>
  record(({ opts, other }) => {
    new RemoteSecret(
      "remote",
      {
        source: "cluster-b",
        sourceProvider: other,
        reader: "cluster-a",
        apiServer,
        ...more,
      },
      opts,
    );
  });

describe("RemoteSecret", () => {
  it("makes the reader in the cluster that is read, and the secret in the one that reads", async () => {
    const program = await remoteSecret();
    expect(children(program, "remote")).toEqual([
      "kubernetes:core/v1:Secret remote-kubeconfig",
      "kubernetes:core/v1:Secret remote-token",
      "kubernetes:core/v1:ServiceAccount remote-account",
      "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding remote-binding",
    ]);
    for (const role of ["account", "binding", "token"]) {
      expect(program.named(`remote-${role}`).provider, role).toBe("other");
    }
    expect(program.named("remote-kubeconfig").provider).toBe("here");
  });

  it("gives the reader an account of its own with the chart's read-only role", async () => {
    const program = await remoteSecret();
    const name = "istio-reader-cluster-a";
    expect(program.named("remote-account").inputs["metadata"]).toEqual({
      name,
      namespace: "istio-system",
    });
    expect(program.named("remote-binding").inputs).toMatchObject({
      roleRef: { kind: "ClusterRole", name: "istio-reader-clusterrole-istio-system" },
      subjects: [{ kind: "ServiceAccount", name, namespace: "istio-system" }],
    });
    expect(program.named("remote-token").inputs).toMatchObject({
      metadata: { annotations: { "kubernetes.io/service-account.name": name } },
      type: "kubernetes.io/service-account-token",
    });
  });

  it("hands istiod a kubeconfig with the token, as a secret it finds by its label", async () => {
    const program = await remoteSecret();
    const { metadata, stringData } = program.named("remote-kubeconfig").inputs;
    expect(metadata).toEqual({
      name: "istio-remote-secret-cluster-b",
      namespace: "istio-system",
      labels: { "istio/multiCluster": "true" },
      annotations: { "networking.istio.io/cluster": "cluster-b" },
    });
    const data = secretValue(stringData) as Record<string, string>;
    expect(Object.keys(data)).toEqual(["cluster-b"]);
    expect(load(data["cluster-b"] ?? "")).toMatchObject({
      clusters: [
        {
          cluster: {
            server: "https://b.example.com:6443",
            "certificate-authority-data": "Y2E=",
          },
        },
      ],
      users: [{ user: { token: "token of remote-token" } }],
      "current-context": "cluster-b",
    });
  });

  it("trusts the authority of the token's own Secret where it is told to", async () => {
    const program = await remoteSecret({ apiServer: { ...apiServer, trustsAccounts: "only" } });
    const { stringData } = program.named("remote-kubeconfig").inputs;
    const data = secretValue(stringData) as Record<string, string>;
    const authority = Buffer.from("CA of remote-token").toString("base64");
    expect(load(data["cluster-b"] ?? "")).toMatchObject({
      clusters: [{ cluster: { "certificate-authority-data": authority } }],
    });
  });

  it("gets another token by another rotation, in another Secret, so that the old one stays until the end", async () => {
    const nameOf = async (rotation?: string) => {
      const program = await remoteSecret({ rotation });
      return (program.named("remote-token").inputs["metadata"] as { name: string }).name;
    };
    expect(await nameOf()).toBe("istio-reader-cluster-a-token");
    expect(await nameOf("2027-06")).toBe("istio-reader-cluster-a-token-2027-06");
  });
});
