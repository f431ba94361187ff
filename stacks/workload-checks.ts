import { allOf } from "../lib/enumerate.ts";
import type { Problem } from "../lib/problems.ts";
import type { Loose } from "./checks.ts";
import { missingKeys } from "./missing-keys.ts";
import type { Chain, Service } from "./schema.ts";
import { EXISTING_KEYS, MADE_KEYS, MADE_VERSION_KEYS } from "./schema/service.ts";

const ROLES = ["stable", "canary"] as const;

function isExisting({ workload }: Loose): boolean {
  return workload === "existing";
}

/** Keys of `of` that must not be there. */
function strayKeys(
  of: Loose,
  path: string,
  keys: readonly string[],
  rule: string,
  fix: string,
): Problem[] {
  return keys.flatMap((key) =>
    of[key] === undefined ? [] : [{ path: `${path}.${key}`, value: of[key], rule, fix }],
  );
}

/** What to write for a key that pods of the program's making need. */
function ofPods(key: string): string {
  return `Write the ${key} of its pods, or set workload: existing if they are somebody else's.`;
}

/** What autoscaling and the counts of versions must say of each other. */
function autoscalingProblems(
  service: Loose,
  path: string,
  versions: readonly { readonly path: string; readonly version: Loose }[],
): Problem[] {
  const autoscaling = service["autoscaling"];
  if (typeof autoscaling !== "object" || autoscaling === null) return [];
  const { external, min, max } = autoscaling as Loose;
  const at = `${path}.autoscaling`;
  return [
    ...versions.flatMap((each) =>
      strayKeys(
        each.version,
        each.path,
        ["replicas"],
        "must be left out with autoscaling, which decides how many pods there are",
        "Remove it, or remove autoscaling.",
      ),
    ),
    ...(external === true
      ? strayKeys(
          autoscaling as Loose,
          at,
          ["min", "max", "cpu", "metrics"],
          "must be left out where autoscaling is external: somebody else's autoscaler decides",
          "Remove it, or remove external.",
        )
      : max === undefined
        ? [
            {
              path: `${at}.max`,
              rule: "must be given",
              fix: "Write the most pods of a version, for example 20, or external: true if somebody else's autoscaler decides.",
            },
          ]
        : []),
    ...(typeof min === "number" && typeof max === "number" && min > max
      ? [
          {
            path: `${at}.min`,
            value: min,
            rule: `must not be greater than max, which is ${max}`,
            fix: "Lower it, or raise max.",
          },
        ]
      : []),
  ];
}

/**
 * What a service must say, and what it must not, by whose its pods are.
 *
 * @param services as they were written: defaults say nothing of whether a key is there
 */
export function workloadProblems(services: readonly Loose[]): Problem[] {
  return services.flatMap((service, i) => {
    const path = `services[${i}]`;
    const versions = ROLES.flatMap((role) => {
      const version = service[role];
      return typeof version === "object" && version !== null
        ? [{ path: `${path}.${role}`, version: version as Loose }]
        : [];
    });
    if (isExisting(service)) {
      const rule = "must be left out of an existing service: the owner of its pods decides";
      const fix = "Remove it, or remove workload if the program is to make the pods.";
      return [
        ...strayKeys(service, path, MADE_KEYS, rule, fix),
        ...versions.flatMap(({ version, path: at }) =>
          strayKeys(version, at, MADE_VERSION_KEYS, rule, fix),
        ),
      ];
    }
    return [
      ...missingKeys(service, path, ["port"], ofPods),
      ...(service["protocol"] === "grpc"
        ? strayKeys(
            service,
            path,
            ["healthPath"],
            "must be left out with protocol grpc: both probes ask the container's gRPC health service",
            "Remove it.",
          )
        : []),
      ...autoscalingProblems(service, path, versions),
      ...versions.flatMap(({ version, path: at }) => missingKeys(version, at, ["image"], ofPods)),
      ...strayKeys(
        service,
        path,
        EXISTING_KEYS,
        "must be left out unless workload is existing",
        "Remove it, or set workload: existing if the service is somebody else's.",
      ),
      ...(service["namespace"] === "default"
        ? [
            {
              path: `${path}.namespace`,
              value: "default",
              rule: "must be a namespace that the program creates for the service: not default",
              fix: "For example: user. An existing service may be there: workload: existing.",
            },
          ]
        : []),
    ];
  });
}

/** Rules between services of different workloads, and for the chain they are in. */
export function mixedWorkloadProblems(
  services: readonly Service[],
  chain: Chain | undefined,
): Problem[] {
  return services.flatMap(({ workload, namespace }, i) => {
    if (workload !== "existing") return [];
    const makers = services.flatMap((other, j) =>
      other.workload !== "existing" && other.namespace === namespace ? [`services[${j}]`] : [],
    );
    return [
      ...(makers.length > 0
        ? [
            {
              path: `services[${i}].namespace`,
              value: namespace,
              rule: `must not be the namespace of ${allOf(makers)}, which the program makes, and removes with its last service`,
              fix: "Put the services that the program makes into another namespace.",
            },
          ]
        : []),
      ...(chain
        ? [
            {
              path: `services[${i}].workload`,
              value: workload,
              rule: "must be made with chain: the preflight does not know the pods of others yet",
              fix: "Remove chain, or release the service in a stack of its own.",
            },
          ]
        : []),
    ];
  });
}
