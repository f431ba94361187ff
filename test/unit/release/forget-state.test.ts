import { describe, expect, it } from "vitest";
import { parseState, type StackState } from "../../../release/eject/state.ts";
import { forgetCluster } from "../../../release/forget/state.ts";

const urn = (type: string, name: string) => `urn:pulumi:prod::istio-canary::${type}::${name}`;
const PROVIDER = "pulumi:providers:kubernetes";
const provider = (cluster: string) => `${urn(PROVIDER, cluster)}::id-of-${cluster}`;
const remote = urn("istio-canary:mesh:RemoteSecret", "remote-secret-cluster-b-in-cluster-a");
const workload = urn("istio-canary:mesh:CanaryWorkload", "cart.shop-cluster-b");

const object = (name: string, cluster: string, more: object = {}) => ({
  ...{ urn: urn("kubernetes:core/v1:Secret", name), type: "kubernetes:core/v1:Secret" },
  ...{ custom: true, provider: provider(cluster), ...more },
});
const component = (urn: string) => ({ urn, type: urn.split("::")[2] ?? "", custom: false });

/** Two clusters whose names begin alike, beside cluster-b. */
function state(more: object = {}): StackState {
  const resources = [
    ...["cluster-a", "cluster-b", "cluster-b2"].map((name) => ({
      ...{ urn: urn(PROVIDER, name), type: PROVIDER, custom: true },
    })),
    component(workload),
    object("cart.shop-cluster-b-v1", "cluster-b", { parent: workload }),
    component(remote),
    object("remote-secret-cluster-b-in-cluster-a-token", "cluster-b", { parent: remote }),
    object("remote-secret-cluster-b-in-cluster-a-kubeconfig", "cluster-a", {
      parent: remote,
      dependencies: [
        urn("kubernetes:core/v1:Secret", "remote-secret-cluster-b-in-cluster-a-token"),
        urn("kubernetes:core/v1:Secret", "cart.shop-cluster-a-v1"),
      ],
    }),
    object("cart.shop-cluster-a-v1", "cluster-a"),
    object("cart.shop-cluster-b2-v1", "cluster-b2"),
    component(urn("istio-canary:mesh:MeshTracing", "without-children")),
  ];
  return parseState(JSON.stringify({ version: 3, deployment: { resources, ...more } }));
}

const left = ({ deployment }: StackState) =>
  deployment.resources?.map((each) => each.urn.split("::").at(-1));

describe("a cluster that is forgotten", () => {
  it("leaves the state with all that is there, and nothing of any other one", () => {
    const { count, about, rest } = forgetCluster(state(), "cluster-b");
    expect(count).toBe(4);
    expect(left(rest)).toEqual([
      ...["cluster-a", "cluster-b2", "remote-secret-cluster-b-in-cluster-a"],
      ...["remote-secret-cluster-b-in-cluster-a-kubeconfig", "cart.shop-cluster-a-v1"],
      ...["cart.shop-cluster-b2-v1", "without-children"],
    ]);
    expect(about).toEqual(["remote-secret-cluster-b-in-cluster-a-kubeconfig"]);
  });

  it("is named by nothing that stays", () => {
    const { rest } = forgetCluster(state(), "cluster-b");
    const secret = rest.deployment.resources?.find(({ urn }) => urn.endsWith("-kubeconfig"));
    expect(secret?.dependencies).toEqual([
      urn("kubernetes:core/v1:Secret", "cart.shop-cluster-a-v1"),
    ]);
  });

  it("takes with it what an update was about to do there, and nothing else", () => {
    const pending = (cluster: string) => ({
      pending_operations: [
        { type: "updating", resource: { urn: "urn", provider: provider(cluster) } },
      ],
    });
    const { rest } = forgetCluster(state(pending("cluster-b")), "cluster-b");
    expect(rest.deployment.pending_operations).toEqual([]);
    expect(() => forgetCluster(state(pending("cluster-b2")), "cluster-b")).toThrow(
      "The last update was interrupted in another cluster: run pulumi up first, which completes it. Nothing was changed.",
    );
  });

  it("is none where the state has nothing of it", () => {
    const before = state();
    const { count, rest } = forgetCluster(before, "cluster-c");
    expect(count).toBe(0);
    expect(rest).toEqual(before);
  });
});
