import type { KubernetesObject } from "@kubernetes/client-node";

type Fields = Record<string, unknown>;
type AnyObject = KubernetesObject & Fields;

/** The kinds that it knows, by group and version: those that tests need. */
const KINDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  v1: {
    namespaces: "Namespace",
    services: "Service",
    pods: "Pod",
    serviceaccounts: "ServiceAccount",
    configmaps: "ConfigMap",
    secrets: "Secret",
  },
  "apps/v1": { deployments: "Deployment", controllerrevisions: "ControllerRevision" },
  "coordination.k8s.io/v1": { leases: "Lease" },
  "networking.istio.io/v1": {
    virtualservices: "VirtualService",
    destinationrules: "DestinationRule",
    serviceentries: "ServiceEntry",
  },
};

const CLUSTER_WIDE = ["namespaces"];

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A JSON merge patch (RFC 7386). */
function merged(object: Fields, patch: Fields): Fields {
  const result = { ...object };
  for (const [key, value] of Object.entries(patch)) {
    const before = result[key];
    if (value === null) Reflect.deleteProperty(result, key);
    else result[key] = isFields(value) ? merged(isFields(before) ? before : {}, value) : value;
  }
  return result;
}

/** Whether labels meet a selector: `a=b,c in (d,e),f`. */
function meets(labels: Readonly<Record<string, string>>, selector: string): boolean {
  return [...selector.matchAll(/([^,\s=]+)(?:\s*=\s*([^,]*)|\s+in\s+\(([^)]*)\))?(?:,|$)/g)].every(
    ([, key = "", value, values]) => {
      const own = labels[key];
      if (values !== undefined) return own !== undefined && values.split(",").includes(own);
      return value === undefined ? own !== undefined : own === value;
    },
  );
}

/** Objects of an API server, of any kind that it knows. */
export class FakeObjects {
  readonly all: AnyObject[] = [];

  add(...objects: readonly KubernetesObject[]): void {
    const live = { generation: 1, resourceVersion: "1" };
    this.all.push(
      ...objects.map((each) => ({
        ...(structuredClone(each) as AnyObject),
        metadata: Object.assign({}, live, structuredClone(each.metadata)),
      })),
    );
  }

  /** The object, to look into it or to change it. */
  get(kind: string, name: string): AnyObject | undefined {
    return this.all.find((each) => each.kind === kind && each.metadata?.name === name);
  }

  /** What a request gets; undefined if it is about no kind that is known. */
  answer(
    method: string,
    url: URL,
    body: string,
  ): { readonly code: number; readonly value: unknown } | undefined {
    const [, core, group, rest = ""] =
      /^\/(?:api\/(v1)|apis\/([^/]+\/[^/]+))(?:\/(.*))?$/.exec(url.pathname) ?? [];
    const version = core ?? group ?? "";
    const kinds = KINDS[version];
    if (!kinds) return undefined;
    if (rest === "") {
      const resources = Object.entries(kinds).map(([name, kind]) => ({
        ...{ name, kind, verbs: [] },
        namespaced: !CLUSTER_WIDE.includes(name),
      }));
      return { code: 200, value: { kind: "APIResourceList", resources } };
    }
    const parts = rest.split("/");
    const inNamespace = parts[0] === "namespaces" && parts.length > 2;
    const [plural = "", name] = inNamespace ? parts.slice(2) : parts;
    const namespace = inNamespace ? parts[1] : undefined;
    const kind = kinds[plural];
    if (kind === undefined) return undefined;
    const own = this.all.filter(
      (each) =>
        each.kind === kind &&
        each.apiVersion === version &&
        (namespace === undefined || each.metadata?.namespace === namespace),
    );
    if (name === undefined) {
      const selector = url.searchParams.get("labelSelector") ?? "";
      const items = own.filter(
        ({ metadata }) => selector === "" || meets(metadata?.labels ?? {}, selector),
      );
      return { code: 200, value: { kind: `${kind}List`, items } };
    }
    const object = own.find(({ metadata }) => metadata?.name === name);
    if (method === "PATCH") {
      const patched = merged(object ?? {}, JSON.parse(body) as Fields);
      const { metadata } = patched as { metadata: { managedFields?: unknown } };
      // Stands for none.
      if (JSON.stringify(metadata.managedFields) === "[{}]") metadata.managedFields = [];
      if (url.searchParams.get("dryRun") === null) {
        if (object) this.all[this.all.indexOf(object)] = patched;
        else this.add(patched);
      }
      return { code: 200, value: patched };
    }
    return object
      ? { code: 200, value: object }
      : { code: 404, value: { message: `${plural} "${name}" not found` } };
  }
}

/** The objects of others, with a ready pod that has a sidecar for each Deployment. */
export function withPods(
  objects: readonly KubernetesObject[],
  cluster: string,
): readonly KubernetesObject[] {
  const pods = objects.flatMap((object) => {
    if (object.kind !== "Deployment") return [];
    const { template } = (
      object as unknown as {
        spec: {
          template: {
            metadata: { labels?: Readonly<Record<string, string>> };
            spec: { serviceAccountName?: string };
          };
        };
      }
    ).spec;
    const { name, namespace } = object.metadata ?? {};
    return [
      {
        apiVersion: "v1",
        kind: "Pod",
        metadata: {
          ...{ name: `${name ?? ""}-1`, namespace },
          labels: { ...template.metadata.labels, "service.istio.io/canonical-name": "any" },
        },
        spec: {
          serviceAccountName: template.spec.serviceAccountName,
          containers: [
            {
              name: "istio-proxy",
              args: ["proxy", "sidecar", "--domain", "$(POD_NAMESPACE).svc.cluster.local"],
              env: [{ name: "ISTIO_META_CLUSTER_ID", value: cluster }],
            },
          ],
        },
        status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
      } as KubernetesObject,
    ];
  });
  return [...objects, ...pods];
}
