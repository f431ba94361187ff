import type { RequestMatch, Retries, TrafficPolicy } from "./routing.ts";

/** What the routing objects of a service say, in the words of the configuration, whoever has made them. */
export interface SaidRoute {
  /** Whether this program has made them, for pods that are `existing` or that it makes. @default others have */
  readonly madeFor?: "existing" | "made" | undefined;
  /** The version that gets most requests. @default no rule names a version */
  readonly stable?: string | undefined;
  /** The one that gets the others. @default there is none */
  readonly canary?: string | undefined;
  /** Percent of requests that the canary gets. */
  readonly weight: number;
  /** Versions that can be named, in the order of the object. */
  readonly versions: readonly string[];
  /** Label that tells them apart. @default nothing says it, or there is more than one */
  readonly versionLabel?: string | undefined;
  /** As a duration; `none` for no limit. */
  readonly timeout: string;
  /** @default Istio's */
  readonly retries?: Retries | undefined;
  readonly matches: readonly RequestMatch[];
  readonly mirrorPercent: number;
  readonly corsPolicy?: Readonly<Record<string, unknown>> | undefined;
  /** Of all versions. @default Istio's */
  readonly policy?: TrafficPolicy | undefined;
  /** Of single versions. */
  readonly policies: Readonly<Record<string, TrafficPolicy>>;
  /** The gateways' objects that lead to it, as `namespace/name`. */
  readonly gateways: readonly string[];
  /** Hosts of theirs. */
  readonly gatewayHosts: readonly string[];
}

/** What requests meet where no object says anything. */
export const NOTHING_SAID: SaidRoute = {
  weight: 0,
  versions: [],
  timeout: "none",
  matches: [],
  mirrorPercent: 0,
  policies: {},
  gateways: [],
  gatewayHosts: [],
};
