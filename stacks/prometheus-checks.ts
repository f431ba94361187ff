import type { Problem } from "../lib/problems.ts";
import type { ClusterAccess } from "./config.ts";
import type { PrometheusAccess } from "./schema.ts";

/** Keys that all say what is sent as the header Authorization. */
const AUTHORIZATIONS = ["bearerToken", "basicAuth", "tokenCommand"] as const;

/**
 * Rules that span several keys of `prometheus`, or these and the clusters.
 *
 * @param clusters those of the mesh. @default they are not known
 */
export function prometheusProblems(
  prometheus: Readonly<Record<string, PrometheusAccess>> | undefined,
  clusters: readonly Pick<ClusterAccess, "name" | "prometheus">[] | undefined,
): Problem[] {
  return Object.entries(prometheus ?? {}).flatMap(([name, access]) => {
    const path = `prometheus.${name}`;
    const cluster = clusters?.find((each) => each.name === name);
    if (clusters && !cluster) {
      const names = clusters.map((each) => each.name).join(", ");
      return [
        {
          path,
          rule: "must be the name of a cluster",
          fix: `Name one of ${names}, or: pulumi config rm --path '${path}'`,
        },
      ];
    }
    return accessProblems(path, access, access.url ?? cluster?.prometheus, clusters !== undefined);
  });
}

/** @param url where it leads, unless to a Service */
function accessProblems(
  path: string,
  access: PrometheusAccess,
  url: string | undefined,
  known: boolean,
): Problem[] {
  const { service, tls, headers } = access;
  const given = AUTHORIZATIONS.filter((name) => access[name] !== undefined);
  const header = Object.keys(headers).find((name) => name.toLowerCase() === "authorization");
  const [first, second] = [
    ...given.map((name) => `${path}.${name}`),
    ...(header === undefined ? [] : [`${path}.headers.${header}`]),
  ];
  const secure = service === undefined && url?.startsWith("https:") === true;
  const problems = [
    known &&
      service === undefined &&
      url === undefined && {
        path,
        rule: "must say where the Prometheus is",
        fix: "Add url or service, or set clusters[].prometheus to its URL.",
      },
    access.url !== undefined &&
      service !== undefined && {
        path: `${path}.service`,
        rule: "must not be given together with url",
        fix: "Keep the one that leads to the Prometheus.",
      },
    first !== undefined &&
      second !== undefined && {
        path: second,
        rule: `must not be given together with ${first}: both are the header Authorization`,
        fix: "Keep the one that the Prometheus expects.",
      },
    (tls.certificate === undefined) !== (tls.key === undefined) && {
      path: `${path}.tls`,
      rule: "must have both certificate and key, or neither",
      fix: "The client's certificate is of no use without its key.",
    },
    (known || service !== undefined) &&
      Object.keys(tls).length > 0 &&
      !secure && {
        path: `${path}.tls`,
        rule: "must be given with an https URL only",
        fix: "Set url to https://…, or remove tls.",
      },
  ];
  return problems.filter((problem) => problem !== false);
}
