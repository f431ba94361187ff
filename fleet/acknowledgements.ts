import type { V1Pod } from "@kubernetes/client-node";
import { stateOf, type Connection, type Connections, type Sent } from "./connections.ts";
import { proxyId, workloadOf } from "./proxy-pod.ts";

/**
 * What the istiods say of a proxy that is not asked itself: it has acknowledged what it must have, it gets nothing of
 * it, it has not acknowledged what it was sent, or they say too little, and it must be asked itself.
 */
export type Verdict = "acknowledged" | "not concerned" | "pending" | "unknown";

/** The only connection of a proxy: of one that is connected twice nobody knows which one it follows. */
function onlyOf(connections: Connections, pod: V1Pod): Connection | undefined {
  const [connection, ...others] = connections.of.get(proxyId(pod)) ?? [];
  return others.length === 0 ? connection : undefined;
}

/**
 * Concludes from the Envoys that were asked what the acknowledgements of all others are worth.
 *
 * States of one istiod follow each other, and none goes back. What an Envoy shows comes from a state that its istiod had
 * sent it by then: so what was last sent afterwards, and every later state, has what it has shown. Whoever has
 * acknowledged such a state has it too, whatever it was sent since. A proxy that a change does not concern gets
 * nothing, and stays at an older state: for it speaks an Envoy of its own workload, whose configuration istiod makes in
 * the same way.
 */
export class Acknowledgements {
  readonly #kind: Sent;
  /** The oldest state of each istiod that has been proved, by service. */
  readonly #proved = new Map<string, Map<number, number>>();
  /** The same for a workload whose Envoys do not get all services. */
  readonly #workloads = new Map<string, number>();
  readonly #unconcerned = new Set<string>();
  readonly #services = new Set<number>();

  constructor(kind: Sent) {
    this.#kind = kind;
  }

  /**
   * Learns from an Envoy that has shown what it must have.
   *
   * @param holds for each service whether it gets anything of it
   * @param before what the istiods knew before it was asked
   * @param after what they knew afterwards
   */
  learn(pod: V1Pod, holds: readonly boolean[], before: Connections, after: Connections): void {
    const workload = workloadOf(pod);
    if (!holds.some(Boolean)) {
      this.#unconcerned.add(workload);
      return;
    }
    this.#unconcerned.delete(workload);
    const was = onlyOf(before, pod);
    const is = onlyOf(after, pod);
    // One that has moved meanwhile may have shown what the other istiod had sent.
    if (!is || was?.istiod !== is.istiod) return;
    const state = stateOf(is.nonces[this.#kind].sent);
    if (state === undefined) return;
    const proved = this.#proved.get(is.istiod) ?? new Map<number, number>();
    this.#proved.set(is.istiod, proved);
    holds.forEach((each, service) => {
      if (!each) return;
      this.#services.add(service);
      proved.set(service, Math.min(state, proved.get(service) ?? state));
    });
    const key = `${is.istiod} ${workload}`;
    this.#workloads.set(key, Math.min(state, this.#workloads.get(key) ?? state));
  }

  /**
   * What tells more of a proxy of whom the istiods say too little: itself alone, any Envoy of its workload, or time, since
   * its istiod may be about to send it something.
   */
  tells(pod: V1Pod, connections: Connections): "itself" | "workload" | "time" {
    const connection = onlyOf(connections, pod);
    if (!connection) return "itself";
    const workload = workloadOf(pod);
    const isKnown =
      this.#unconcerned.has(workload) || this.#workloads.has(`${connection.istiod} ${workload}`);
    return isKnown ? "time" : "workload";
  }

  /** What the istiods say of a proxy. */
  verdict(pod: V1Pod, connections: Connections): Verdict {
    const connection = onlyOf(connections, pod);
    if (!connection) return "unknown";
    const { istiod, nonces } = connection;
    const { sent, acknowledged } = nonces[this.#kind];
    const state = stateOf(acknowledged) ?? -1;
    const workload = this.#workloads.get(`${istiod} ${workloadOf(pod)}`) ?? Infinity;
    if (state >= Math.min(this.#needed(istiod), workload)) return "acknowledged";
    if (sent !== acknowledged) return "pending";
    return this.#unconcerned.has(workloadOf(pod)) ? "not concerned" : "unknown";
  }

  /** The number of the state of an istiod from which on it has been proved to have all services. */
  #needed(istiod: string): number {
    const proved = this.#proved.get(istiod);
    const states = [...this.#services].map((service) => proved?.get(service) ?? Infinity);
    return states.length === 0 ? Infinity : Math.max(...states);
  }
}
