import { idOf, serviceKey } from "../lib/names.ts";
import type { ChainRole, Mark } from "../lib/mark.ts";
import type { Chain, Service } from "./schema.ts";

/** A service's place in the stack's chain. */
export interface Place {
  readonly role: ChainRole;
  readonly mark: Mark;
  /** All services of the chain, as `namespace/name`. */
  readonly members: readonly string[];
}

type Named = Pick<Service, "name" | "namespace">;

/** What a service is in a chain, or undefined without one. */
export function roleIn(chain: Chain | undefined, service: Named): ChainRole | undefined {
  if (!chain) return undefined;
  return chain.entries.includes(serviceKey(idOf(service))) ? "entry" : "follower";
}

/** A service's place in the stack's chain, or undefined without one. */
export function placeIn(
  { chain, services }: { readonly chain: Chain | undefined; readonly services: readonly Named[] },
  service: Named,
): Place | undefined {
  const role = roleIn(chain, service);
  return chain && role
    ? {
        role,
        mark: chain.mark,
        members: services.map((service) => serviceKey(idOf(service))),
      }
    : undefined;
}
