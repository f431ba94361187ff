import type { Problem } from "../lib/problems.ts";
import { duplicates, type Loose } from "./checks.ts";

/** Clusters in one network reach each other's pods; in networks of their own they do by gateways. */
export function networkProblems(clusters: readonly Loose[], oneNetwork: boolean): Problem[] {
  const at = (key: string) => (i: number) => `clusters[${i}].${key}`;
  const networks = clusters.map(({ network }) =>
    typeof network === "string" ? network : undefined,
  );
  if (!oneNetwork) {
    return duplicates(
      networks,
      at("network"),
      (network) => network,
      "must be a network that no other cluster has",
      "Give each cluster its own network; gateways connect them. If the pods of all clusters reach each other, set mesh.oneNetwork to true and one network in all.",
    );
  }
  return networks.flatMap((network, i) => [
    ...(network !== undefined && networks[0] !== undefined && network !== networks[0]
      ? [
          {
            path: at("network")(i),
            value: network,
            rule: "must be the network of all clusters, as mesh.oneNetwork says: a gateway leads to pods of its whole network, so with two networks no host could name one cluster of it",
            fix: `Write ${networks[0]}, or remove mesh.oneNetwork and give each cluster its own network.`,
          },
        ]
      : []),
    ...["eastWestAddresses", "eastWestPort"].flatMap((key) => {
      const value = clusters[i]?.[key];
      return value === undefined
        ? []
        : [
            {
              path: at(key)(i),
              value,
              rule: "must be left out with mesh.oneNetwork: there are no east-west gateways",
              fix: `Remove it: pulumi config rm --path 'clusters[${i}].${key}'`,
            },
          ];
    }),
  ]);
}
