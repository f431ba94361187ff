import * as z from "zod";
import { allOf } from "../../../lib/enumerate.ts";
import { GROUP, VERSION } from "../../../lib/routing/istio/kinds.ts";
import type { ClusterClient } from "../../cluster-client.ts";
import { isNotFound } from "../../explain.ts";

const gateway = z.looseObject({
  spec: z.looseObject({
    selector: z.record(z.string(), z.string()).default({}),
    servers: z
      .array(
        z.looseObject({
          hosts: z.array(z.string()).default([]),
          port: z.looseObject({ protocol: z.string().default("") }).optional(),
          tls: z.looseObject({ mode: z.string().optional() }).optional(),
        }),
      )
      .default([]),
  }),
});

/** Protocols of which a gateway reads the requests. */
const READ = /^(HTTP|HTTPS|HTTP2|GRPC|GRPC-WEB)$/i;

/** Whether an entry of a server's hosts, as `web/*.example.com`, takes a VirtualService's host. */
function takes(entry: string, host: string, own: string, namespace: string): boolean {
  const [from, pattern] = entry.includes("/") ? entry.split("/") : ["*", entry];
  const isOpen = from === "*" || (from === "." ? own : from) === namespace;
  return (
    isOpen &&
    (pattern === host || (pattern?.startsWith("*") === true && host.endsWith(pattern.slice(1))))
  );
}

/**
 * Why a Gateway does not serve hosts of a service in one cluster.
 *
 * @param name as `namespace/name`
 * @param namespace the service's
 * @returns ends a sentence: `must …, but in cluster-a …`; undefined if it does
 */
export async function gatewayObjectionOf(
  cluster: ClusterClient,
  name: string,
  hosts: readonly string[],
  namespace: string,
): Promise<string | undefined> {
  const [own = "", object = ""] = name.split("/");
  let found: z.infer<typeof gateway>;
  try {
    found = gateway.parse(
      await cluster.custom.getNamespacedCustomObject({
        ...{ group: GROUP, version: VERSION, plural: "gateways", namespace: own, name: object },
      }),
    );
  } catch (error) {
    if (isNotFound(error)) return `there is no Gateway ${name}`;
    throw error;
  }
  const { selector, servers } = found.spec;
  const entries = servers
    .filter(({ port, tls }) => READ.test(port?.protocol ?? "") && tls?.mode !== "PASSTHROUGH")
    .flatMap((server) => server.hosts);
  const untaken = hosts.filter(
    (host) => !entries.some((each) => takes(each, host, own, namespace)),
  );
  if (untaken.length > 0) {
    return `Gateway ${name} has no HTTP server that takes ${allOf(untaken)} from namespace ${namespace}`;
  }
  const labels = Object.entries(selector).map(([key, value]) => `${key}=${value}`);
  const pods = await cluster.proxies(labels.join(","));
  return pods.length === 0
    ? `Gateway ${name} selects no gateway that is ready (${labels.join(", ") || "it has no selector"})`
    : undefined;
}
