import { createHash } from "node:crypto";
import type { V1Pod } from "@kubernetes/client-node";
import { z } from "zod";
import { ADMIN_PORT } from "../../../lib/names.ts";
import type { ClusterClient } from "../../cluster-client.ts";
import { getBytes } from "../../pod-http.ts";

const routeAction = z.looseObject({
  cluster: z.string().optional(),
  request_mirror_policies: z.array(z.unknown()).optional(),
  weighted_clusters: z
    .looseObject({ clusters: z.array(z.looseObject({ name: z.string(), weight: z.number() })) })
    .optional(),
});

const virtualHost = z.looseObject({
  name: z.string(),
  domains: z.array(z.string()),
  routes: z
    .array(
      z.looseObject({
        name: z.string().optional(),
        match: z.looseObject({
          headers: z.array(z.unknown()).optional(),
          prefix: z.string().optional(),
        }),
        route: routeAction.optional(),
      }),
    )
    .default([]),
});

export type VirtualHost = z.infer<typeof virtualHost>;

/** Answer to `/config_dump?resource=dynamic_route_configs`: one entry for each RDS route table. */
const routeTables = z.looseObject({
  configs: z
    .array(
      z.looseObject({
        last_updated: z.string(),
        version_info: z.string().optional(),
        route_config: z.looseObject({
          name: z.string().default(""),
          // Of all services that the proxy knows: only those that somebody asks for are looked at closely.
          virtual_hosts: z.array(z.unknown()).default([]),
        }),
      }),
    )
    .default([]),
});

/** A route table of a proxy, with some of its virtual hosts. */
export interface RouteTable {
  readonly name: string;
  readonly virtualHosts: readonly VirtualHost[];
}

/** The route tables of a proxy. */
interface ReadTables {
  /** The same list for all proxies whose answers differ in nothing else. */
  readonly tables: readonly RouteTable[];
  /** When the proxy has taken over each of them (its own clock). */
  readonly updatedAt: readonly Date[];
}

/** Keys of a table that say when the proxy got it, and nothing of what is in it. */
const UPDATED = '"last_updated":';
const VERSION = '"version_info":';
const [QUOTE, SPACE] = Buffer.from('" ');

/** A text in an answer, without its quotes. */
interface Part {
  readonly from: number;
  readonly to: number;
}

/** The texts that a key has in an answer. */
function textsOf(answer: Buffer, key: string): readonly Part[] {
  const found: Part[] = [];
  for (let at = answer.indexOf(key); at >= 0; at = answer.indexOf(key, at)) {
    at += key.length;
    while (answer[at] === SPACE) at += 1;
    const part = { from: at + 1, to: answer.indexOf('"', at + 1) };
    if (answer[at] === QUOTE && !answer.subarray(part.from, part.to).includes("\\"))
      found.push(part);
  }
  return found;
}

/** A digest of everything else in an answer. */
function digestWithout(answer: Buffer, parts: readonly Part[]): string {
  const hash = createHash("sha256");
  let end = 0;
  for (const { from, to } of parts.toSorted((one, other) => one.from - other.from)) {
    hash.update(answer.subarray(end, from));
    end = to;
  }
  return hash.update(answer.subarray(end)).digest("base64");
}

/** An answer that was read. */
interface Answer {
  /** Of what it has beside versions and times. */
  readonly digest: string;
  readonly tables: readonly RouteTable[];
}

/** Different answers that are remembered of one cluster for one list of hosts: each takes some megabytes. */
const REMEMBERED = 4;

/** What proxies have answered, by the cluster and by the hosts that were asked for: most of them say the same. */
const answers = new WeakMap<ClusterClient, WeakMap<object, Answer[]>>();

function answersFor(cluster: ClusterClient, of: object): Answer[] {
  const lists = answers.get(cluster) ?? new WeakMap<object, Answer[]>();
  answers.set(cluster, lists);
  const known = lists.get(of) ?? [];
  lists.set(of, known);
  return known;
}

/** Whether a virtual host serves one of the hosts. */
function servesAny(virtualHostAsSent: unknown, hosts: ReadonlySet<string>): boolean {
  const domains: unknown =
    typeof virtualHostAsSent === "object" && virtualHostAsSent !== null
      ? Reflect.get(virtualHostAsSent, "domains")
      : undefined;
  return Array.isArray(domains) && domains.some((domain) => hosts.has(String(domain)));
}

/**
 * The route tables that a proxy has from its istiod, with the virtual hosts that serve any of the hosts. Thousands of
 * proxies have the same ones, and an answer may have megabytes: one that was read before is not read again.
 *
 * @param of hosts, or those of each service
 */
export async function routeTablesOf(
  cluster: ClusterClient,
  pod: V1Pod,
  of: readonly (string | readonly string[])[],
): Promise<ReadTables> {
  const path = "/config_dump?resource=dynamic_route_configs";
  const answer = await getBytes(cluster, pod, ADMIN_PORT, path);
  const [updates, versions] = [textsOf(answer, UPDATED), textsOf(answer, VERSION)];
  const digest = digestWithout(answer, [...updates, ...versions]);
  const known = answersFor(cluster, of);
  const before = known.find((each) => each.digest === digest);
  if (before) {
    const updatedAt = updates.map(({ from, to }) => new Date(answer.toString("utf8", from, to)));
    return { tables: before.tables, updatedAt };
  }
  const { configs } = routeTables.parse(JSON.parse(answer.toString()));
  const wanted = new Set(of.flat());
  const tables = configs.map(({ route_config: { name, virtual_hosts: all } }) => ({
    name,
    virtualHosts: all
      .filter((each) => servesAny(each, wanted))
      .map((each) => virtualHost.parse(each)),
  }));
  // If something in a table has such a key too, what it says may matter: such an answer is read each time.
  const versioned = configs.filter((each) => each.version_info !== undefined);
  if (updates.length === configs.length && versions.length === versioned.length) {
    known.push({ digest, tables });
    if (known.length > REMEMBERED) known.shift();
  }
  return { tables, updatedAt: configs.map(({ last_updated: at }) => new Date(at)) };
}
