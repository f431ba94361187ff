import { idOf, serviceKey } from "../lib/names.ts";
import { MARK_VALUE } from "../lib/mark.ts";
import type { Problem } from "../lib/problems.ts";
import { roleIn } from "./chain.ts";
import { duplicates } from "./checks.ts";
import type { Chain, Service } from "./schema.ts";

/** Rules that span the chain and the services of the stack. */
export function chainConfigProblems(
  chain: Chain | undefined,
  services: readonly Service[] | undefined,
): Problem[] {
  if (!chain || !services) return [];
  return [
    ...entryProblems(chain, services),
    ...withoutProblems(chain, services),
    ...chain.mark.testers.flatMap((name, i) =>
      name === MARK_VALUE
        ? [
            {
              path: `chain.mark.testers[${i}]`,
              value: name,
              rule: `must not be ${MARK_VALUE}, which is easy to guess`,
              fix: "Give each tester a name of their own.",
            },
          ]
        : [],
    ),
    ...services.flatMap((service, i) => serviceProblems(chain, service, `services[${i}]`)),
  ];
}

function entryProblems({ entries }: Chain, services: readonly Service[]): Problem[] {
  const keys = services.map((service) => serviceKey(idOf(service)));
  const onTrial = services.filter(({ canary }) => canary);
  const decides = onTrial.some((service) => entries.includes(serviceKey(idOf(service))));
  return [
    ...entries.flatMap((entry, i) =>
      keys.includes(entry)
        ? []
        : [
            {
              path: `chain.entries[${i}]`,
              value: entry,
              rule: "must be one of services, as namespace/name",
              fix: keys.length === 0 ? "Add it to services." : `Choose one of ${keys.join(", ")}.`,
            },
          ],
    ),
    ...duplicates(
      entries,
      (i) => `chain.entries[${i}]`,
      (entry) => entry,
      "must name each entry once",
      "Remove one of them.",
    ),
    ...(onTrial.length > 0 && !decides && entries.every((entry) => keys.includes(entry))
      ? [
          {
            path: "chain.entries",
            value: entries.join(", "),
            rule: "must name a service with a canary while another has one: nothing else sends requests to canaries",
            fix: "Give the entry a canary; it may be the same image as stable, under another version name.",
          },
        ]
      : []),
  ];
}

function withoutProblems(chain: Chain, services: readonly Service[]): Problem[] {
  const followers = services
    .filter((service) => roleIn(chain, service) === "follower")
    .map((service) => serviceKey(idOf(service)));
  return chain.probe.without.flatMap((key, i) =>
    followers.includes(key)
      ? []
      : [
          {
            path: `chain.probe.without[${i}]`,
            value: key,
            rule: "must be a follower of the chain, as namespace/name",
            fix: followers.length === 0 ? "Remove it." : `There are ${followers.join(", ")}.`,
          },
        ],
  );
}

function serviceProblems(chain: Chain, service: Service, path: string): Problem[] {
  const { matches, mirrorPercent, ingressHosts = [] } = service;
  const follows = roleIn(chain, service) === "follower";
  const problem = (key: string, rule: string, fix: string): Problem => ({
    path: `${path}.${key}`,
    rule,
    fix,
  });
  const entries = chain.entries.join(", ");
  return [
    ...(follows && matches.length > 0
      ? [
          problem(
            "matches",
            "must be empty: a follower routes by the mark alone, or a request could switch versions midway",
            `Give them to ${entries}.`,
          ),
        ]
      : []),
    ...(follows && ingressHosts.length > 0
      ? [
          problem(
            "ingressHosts",
            "must be empty: clients outside come in through an entry of the chain",
            `Give them to ${entries}, or make this service an entry too.`,
          ),
        ]
      : []),
    ...(mirrorPercent > 0
      ? [
          problem(
            "mirrorPercent",
            "must be 0 with a chain: a mirrored copy carries no mark, so the canary would forward it to stable versions",
            "Remove it; testers reach the whole chain by matches or chain.mark.testers.",
          ),
        ]
      : []),
    ...matches.flatMap(({ header = {} }, i) =>
      chain.mark.header in header
        ? [
            problem(
              `matches[${i}].header.${chain.mark.header}`,
              "must not be the header of the mark",
              "Name testers in chain.mark.testers, or choose another header for one of the two.",
            ),
          ]
        : [],
    ),
  ];
}
