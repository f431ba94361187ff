import { literal } from "../../re2.ts";

/** How the names of the rules begin that are for requests from outside alone, by which Envoys' routes are known. */
export function ingressLabel(service: string): string {
  return `${service}-ingress`;
}

/** A regular expression (RE2) for the authority of requests to any of the hosts: in any case, with a port or without. */
export function hostsPattern(hosts: readonly string[]): string {
  const each = hosts.map(literal);
  return `(?i)${each.length === 1 ? each.join("") : `(?:${each.join("|")})`}(:\\d+)?`;
}
