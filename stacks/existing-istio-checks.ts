import type { Problem } from "../lib/problems.ts";
import { valuesAt } from "../lib/helm-values.ts";
import { entries, isBlank, isEmptyList, type Loose } from "./checks.ts";
import { missingKeys } from "./missing-keys.ts";
import { INSTALLED_KEYS, NEEDED_TO_INSTALL } from "./schema/mesh.ts";
import { apiServers } from "./api-servers.ts";
import type { Ingress, Service } from "./schema.ts";

function keysOf(value: unknown): Loose {
  return typeof value === "object" && value !== null ? (value as Loose) : {};
}

/** Whether the configuration says that others have installed Istio. */
export function isExistingIstio(raw: Loose): boolean {
  return isBlank(raw["meshStack"]) && keysOf(raw["mesh"])["istio"] === "existing";
}

const GIVEN = () =>
  "Write it; or, if others have installed Istio in the clusters, set mesh.istio: existing.";

function mustBeLeftOut(
  of: Loose,
  path: string,
  keys: readonly string[],
  rule: string,
  fix: string,
): Problem[] {
  return keys.flatMap((key) =>
    isBlank(of[key]) ? [] : [{ path: path === "" ? key : `${path}.${key}`, rule, fix }],
  );
}

/**
 * What must be there where the program installs Istio, and what must not.
 *
 * @param raw all keys as they were written
 */
export function installedIstioProblems(raw: Loose): Problem[] {
  const { mesh, ingress } = raw;
  const rule = "must be left out where the program installs Istio";
  const fix =
    "Remove it; or, if others have installed Istio in the clusters, set mesh.istio: existing.";
  return [
    ...(isBlank(mesh) ? [] : missingKeys(keysOf(mesh), "mesh", NEEDED_TO_INSTALL, GIVEN)),
    ...mustBeLeftOut(keysOf(mesh), "mesh", ["revision"], rule, fix),
    ...(entries(raw["clusters"]) ?? []).flatMap((cluster, i) =>
      missingKeys(cluster, `clusters[${i}]`, ["network"], GIVEN),
    ),
    ...(isBlank(ingress) ? [] : missingKeys(keysOf(ingress), "ingress", ["hosts"], GIVEN)),
    ...mustBeLeftOut(keysOf(ingress), "ingress", ["gateway"], rule, fix),
    ...(isBlank(ingress) ? valuesOfNoIngress(raw) : []),
    ...(keysOf(mesh)["oneNetwork"] === true ? settingsOfNoEastWest(raw) : []),
    ...(isBlank(keysOf(mesh)["cni"])
      ? mustBeLeftOut(
          keysOf(mesh),
          "mesh",
          ["podSecurity"],
          "must be left out without mesh.cni: pods would be refused for the init container that leads their traffic to the sidecar",
          "Set mesh.cni: installed, or remove it.",
        )
      : standardBesideInitContainer(raw)),
  ];
}

/** A Pod Security Standard where values have pods get the init container all the same, as before the agent is taken away. */
function standardBesideInitContainer(raw: Loose): Problem[] {
  const mesh = keysOf(raw["mesh"]);
  const saysInit = ({ values }: Loose) =>
    valuesAt(keysOf(values), "istiod", "pilot", "cni", "enabled");
  const places = (entries(raw["clusters"]) ?? []).map((cluster, i) =>
    saysInit(cluster) === undefined
      ? { path: "mesh", enabled: saysInit(mesh) }
      : { path: `clusters[${i}]`, enabled: saysInit(cluster) },
  );
  const paths = places.flatMap(({ path, enabled }) => (enabled === false ? [path] : []));
  return [...new Set(paths)].flatMap((path) =>
    mustBeLeftOut(
      mesh,
      "mesh",
      ["podSecurity"],
      `must be left out while ${path}.values.istiod.pilot.cni.enabled is false: pods would be refused for the init container that they have then`,
      "Remove it, or that value.",
    ),
  );
}

/** Values of the charts of one kind of gateway, which there is none of. */
function valuesOf(raw: Loose, gateway: "eastWest" | "ingress", rule: string, fix: string) {
  const places = [
    { of: keysOf(keysOf(raw["mesh"])["values"]), path: "mesh.values" },
    ...(entries(raw["clusters"]) ?? []).map((cluster, i) => ({
      of: keysOf(cluster["values"]),
      path: `clusters[${i}].values`,
    })),
  ];
  return places.flatMap(({ of, path }) => mustBeLeftOut(of, path, [gateway], rule, fix));
}

function valuesOfNoIngress(raw: Loose): Problem[] {
  const rule = "must be left out without ingress gateways";
  const fix = "Remove it; or give ingress.hosts, for which the gateways take requests.";
  return valuesOf(raw, "ingress", rule, fix);
}

/** What is said of east-west gateways in a mesh of one network. */
function settingsOfNoEastWest(raw: Loose): Problem[] {
  const rule = "must be left out with mesh.oneNetwork: there are no east-west gateways";
  const fix = "Remove it.";
  return [
    ...mustBeLeftOut(keysOf(raw["mesh"]), "mesh", ["eastWestAccess"], rule, fix),
    ...valuesOf(raw, "eastWest", rule, fix),
  ];
}

/**
 * What must not be there where others have installed Istio, and what services must say.
 *
 * @param raw all keys as they were written
 * @param services those that are right by themselves, as is `gateways`
 */
export function existingIstioProblems(
  raw: Loose,
  services: readonly Service[] | undefined,
  gateways: Ingress | undefined,
): Problem[] {
  const { mesh, ingress } = raw;
  const rule =
    "must be left out where others have installed Istio, which this program does not change";
  const fix = "Remove it.";
  return [
    ...mustBeLeftOut(keysOf(mesh), "mesh", INSTALLED_KEYS, rule, fix),
    ...(entries(raw["clusters"]) ?? []).flatMap((cluster, i) =>
      mustBeLeftOut(cluster, `clusters[${i}]`, ["values"], rule, fix),
    ),
    ...mustBeLeftOut(
      raw,
      "",
      ["certificates"],
      rule,
      "Remove it with: pulumi config rm certificates",
    ),
    ...mustBeLeftOut(
      raw,
      "",
      isEmptyList(raw["dataPlane"]) ? [] : ["dataPlane"],
      rule,
      "Remove it with: pulumi config rm dataPlane. mesh.revision says which revision the services' pods have.",
    ),
    ...mustBeLeftOut(
      raw,
      "",
      ["monitoring"],
      rule,
      "Remove it with: pulumi config rm monitoring. Set clusters[].prometheus to the URL of each cluster's Prometheus.",
    ),
    ...mustBeLeftOut(
      keysOf(ingress),
      "ingress",
      ["hosts", "tls", "ports"],
      rule,
      "Remove it: the Gateway object that ingress.gateway names has hosts, certificates and ports.",
    ),
    ...(isBlank(ingress) ? [] : gatewayGiven(keysOf(ingress))),
    ...apiServerProblems(raw),
    ...(services ? existingIngressProblems(services, gateways?.gateway) : []),
  ];
}

/** Contexts that lead to no cluster, or two to one. */
function apiServerProblems(raw: Loose): Problem[] {
  const problems: Problem[] = [];
  const { kubeconfig } = raw;
  const file = typeof kubeconfig === "string" && kubeconfig !== "" ? kubeconfig : undefined;
  apiServers(entries(raw["clusters"]) ?? [], file, problems);
  return problems;
}

function gatewayGiven({ gateway }: Loose): Problem[] {
  return gateway === undefined
    ? [
        {
          path: "ingress.gateway",
          rule: "must be given",
          fix: "Write the Gateway object that takes requests from outside as NAMESPACE/NAME, or remove ingress.",
        },
      ]
    : [];
}

/** What services must say of their hosts outside the mesh where the gateways are others'. */
function existingIngressProblems(
  services: readonly Service[],
  gateway: string | undefined,
): Problem[] {
  return [
    ...(services.length === 0
      ? [
          {
            path: "services",
            value: [],
            rule: "must list a service: the mesh is others'",
            fix: "Add one with name, namespace, port and stable.",
          },
        ]
      : []),
    ...services.flatMap(({ ingressHosts, ingressGateways }, i): Problem[] => {
      const path = `services[${i}].ingressHosts`;
      if (gateway !== undefined && ingressHosts === undefined) {
        return [
          {
            path,
            rule: `must be given: Gateway ${gateway} may have hosts of others' services too`,
            fix: "Write [] for none, or the hosts that lead to this service.",
          },
        ];
      }
      return (ingressGateways ?? gateway) === undefined &&
        ingressHosts !== undefined &&
        ingressHosts.length > 0
        ? [
            {
              path,
              value: ingressHosts,
              rule: "must be empty while no Gateway is named",
              fix: "Set ingress.gateway to the Gateway object that takes requests for them, as NAMESPACE/NAME, or remove them.",
            },
          ]
        : [];
    }),
  ];
}
