import {
  clusterOf,
  list,
  objectName,
  parseUrn,
  record,
  STACK_TYPE,
  type Digest,
  type State,
} from "./digest.ts";

/** What one version of a service gets in one cluster, in percent of the requests. */
export interface Share {
  /** `namespace/name` */
  readonly service: string;
  readonly cluster: string;
  readonly version: string;
  /** Whether the service has a version on trial, and this is it. */
  readonly isCanary: boolean;
  /** Undefined if the version gets no traffic by weight, not even 0 %. */
  readonly before: number | undefined;
  readonly after: number | undefined;
}

/** Shares by version, stable first. */
type Split = ReadonlyMap<string, number>;

/** The splits of one service in one cluster. */
interface Change {
  readonly cluster: string;
  readonly service: string;
  readonly before: Split;
  readonly after: Split;
}

/** What the stack says of itself, as of the last update. */
export function stackOutputs({ steps }: Digest): Readonly<Record<string, unknown>> {
  const stack = steps.find(({ urn }) => parseUrn(urn).type === STACK_TYPE);
  return stack?.oldState?.outputs ?? {};
}

/** The weights of a VirtualService: those of its last rule, which takes every request no other takes. */
function split(state: State | undefined): Split {
  const { route } = record(list(record(state?.inputs["spec"])["http"]).at(-1));
  const destinations = list(route).map(record);
  return new Map(
    destinations.flatMap(({ destination, weight }) => {
      const { subset } = record(destination);
      const share = weight ?? (destinations.length === 1 ? 100 : 0);
      return typeof subset === "string" && typeof share === "number" ? [[subset, share]] : [];
    }),
  );
}

/** The shares of every service in every cluster according to the stack's outputs, by `cluster service`. */
function deployed(outputs: Readonly<Record<string, unknown>>) {
  return Object.entries(record(outputs["clusters"])).flatMap(([cluster, about]) =>
    Object.entries(record(record(about)["traffic"])).map(([service, versions]) => {
      const shares = Object.entries(record(versions)).filter(
        (entry): entry is [string, number] => typeof entry[1] === "number",
      );
      return { cluster, service, shares: new Map(shares) };
    }),
  );
}

/**
 * Each version's share before and after the update. VirtualServices that the preview shows say both;
 * for one it leaves out, since nothing changes about it, the stack's outputs do.
 */
export function traffic(digest: Digest): readonly Share[] {
  const splits = new Map<string, Change>();
  const note = (entry: Change) => splits.set(`${entry.service} ${entry.cluster}`, entry);
  for (const { cluster, service, shares } of deployed(stackOutputs(digest))) {
    note({ cluster, service, before: shares, after: shares });
  }
  for (const { urn, provider, op, oldState, newState } of digest.steps) {
    const cluster = clusterOf({ urn, provider });
    const service = objectName((newState ?? oldState)?.inputs ?? {});
    // The replaced half of a replacement says nothing about what comes after.
    const tells = isVirtualService(urn) && op !== "delete-replaced";
    if (tells && cluster !== undefined && service !== undefined) {
      note({ cluster, service, before: split(oldState), after: split(newState) });
    }
  }
  return [...splits.entries()].sort(byKey).flatMap(([, { cluster, service, before, after }]) => {
    const canary = after.size > 1 ? [...after.keys()].at(-1) : undefined;
    return [...new Set([...before.keys(), ...after.keys()])].sort().map((version) => ({
      service,
      cluster,
      version,
      isCanary: version === canary,
      before: before.get(version),
      after: after.get(version),
    }));
  });
}

const byKey = ([a]: [string, Change], [b]: [string, Change]) => (a < b ? -1 : 1);

function isVirtualService(urn: string): boolean {
  return /^kubernetes:networking\.istio\.io\/.*:VirtualService$/.test(parseUrn(urn).type);
}
