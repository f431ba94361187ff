import type { V1Service } from "@kubernetes/client-node";
import * as z from "zod";
import type {
  FoundEastWestGateway,
  FoundGateway,
  FoundIstio,
  FoundPeerAuthentication,
} from "../../lib/existing-istio/found.ts";
import { EAST_WEST_PORT, GATEWAY_PORT_LABEL } from "../../lib/names.ts";
import type { ClusterClient } from "../cluster-client.ts";
import { allPages } from "../pages.ts";

const NETWORK = "topology.istio.io/network";

const metadata = z.looseObject({ name: z.string(), namespace: z.string() });
const labels = z.record(z.string(), z.string());

const gatewayList = z.looseObject({
  items: z.array(
    z.looseObject({
      metadata,
      spec: z.looseObject({
        selector: labels.default({}),
        servers: z
          .array(
            z.looseObject({
              port: z.looseObject({ number: z.number(), protocol: z.string() }),
              tls: z.looseObject({ mode: z.string().optional() }).optional(),
              hosts: z.array(z.string()).default([]),
            }),
          )
          .default([]),
      }),
    }),
  ),
});

const authenticationList = z.looseObject({
  items: z.array(
    z.looseObject({
      metadata,
      spec: z
        .looseObject({
          selector: z.looseObject({ matchLabels: labels.default({}) }).optional(),
          mtls: z.looseObject({ mode: z.string().default("UNSET") }).optional(),
        })
        .prefault({}),
    }),
  ),
});

/** Where a Service is reached from outside its cluster. */
function addressesOf({ spec, status }: V1Service): string[] {
  const balanced = status?.loadBalancer?.ingress ?? [];
  return [
    ...(spec?.externalIPs ?? []),
    ...balanced.flatMap(({ ip, hostname }) => ip ?? hostname ?? []),
  ];
}

/** The Services of gateways for other networks, by the label from which istiod knows them. */
export async function eastWestGateways(
  cluster: ClusterClient,
): Promise<readonly FoundEastWestGateway[]> {
  const services = await allPages((page) =>
    cluster.core.listServiceForAllNamespaces({ labelSelector: NETWORK, ...page }),
  );
  return services.flatMap((service) => {
    const { name = "", namespace = "", labels: of = {} } = service.metadata ?? {};
    const said = of[GATEWAY_PORT_LABEL] ?? "";
    // Istiod takes the common one too where the label says no number.
    const number = /^\d+$/.test(said) ? Number(said) : EAST_WEST_PORT;
    const port = service.spec?.ports?.find((each) => each.port === number);
    if (!port) return [];
    const { targetPort } = port;
    return [
      {
        service: `${namespace}/${name}`,
        network: of[NETWORK] ?? "",
        port: number,
        ...(typeof targetPort === "number" && { targetPort }),
        selector: service.spec?.selector ?? {},
        addresses: addressesOf(service),
      },
    ];
  });
}

/** All Gateway objects of Istio's. */
export async function gatewayObjects(cluster: ClusterClient): Promise<readonly FoundGateway[]> {
  const { items } = gatewayList.parse(
    await cluster.custom.listCustomObjectForAllNamespaces({
      group: "networking.istio.io",
      version: "v1",
      resourcePlural: "gateways",
    }),
  );
  return items.map(({ metadata: { namespace, name }, spec }) => ({
    namespace,
    name,
    selector: spec.selector,
    servers: spec.servers.map(({ port, tls, hosts }) => ({
      port: port.number,
      protocol: port.protocol,
      tlsMode: tls?.mode,
      hosts,
    })),
  }));
}

/** All PeerAuthentications. */
export async function peerAuthentications(
  cluster: ClusterClient,
): Promise<readonly FoundPeerAuthentication[]> {
  const { items } = authenticationList.parse(
    await cluster.custom.listCustomObjectForAllNamespaces({
      group: "security.istio.io",
      version: "v1",
      resourcePlural: "peerauthentications",
    }),
  );
  return items.map(({ metadata: { namespace, name }, spec }) => ({
    name: `${namespace}/${name}`,
    namespace,
    isForPods: Object.keys(spec.selector?.matchLabels ?? {}).length > 0,
    mode: spec.mtls?.mode ?? "UNSET",
  }));
}

/** The pods that a Gateway object configures, and where clients outside reach them. */
export async function ingressOf(
  cluster: ClusterClient,
  gateway: FoundGateway | undefined,
): Promise<Pick<FoundIstio, "ingressPods" | "ingressAddresses">> {
  const selector = Object.entries(gateway?.selector ?? {}).map(([key, value]) => `${key}=${value}`);
  if (selector.length === 0) return { ingressPods: 0, ingressAddresses: [] };
  const pods = await cluster.runningPods(selector.join(","));
  const namespaces = [...new Set(pods.flatMap(({ metadata: of }) => of?.namespace ?? []))];
  const services = await Promise.all(
    namespaces.map(async (namespace) => {
      const all = await allPages((page) =>
        cluster.core.listNamespacedService({ namespace, ...page }),
      );
      return all.filter(({ spec }) => {
        const wanted = Object.entries(spec?.selector ?? {});
        return (
          wanted.length > 0 &&
          pods.some(
            ({ metadata: of }) =>
              of?.namespace === namespace &&
              wanted.every(([key, value]) => of.labels?.[key] === value),
          )
        );
      });
    }),
  );
  return { ingressPods: pods.length, ingressAddresses: services.flat().flatMap(addressesOf) };
}
