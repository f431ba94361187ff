import { SERVICE_PORT } from "../lib/names.ts";
import { TCP_SUBSET } from "../lib/ports.ts";
import type { Problem } from "../lib/problems.ts";
import type { Chain, Service } from "./schema.ts";

/** The lowest port that a container without privileges can listen on. */
const FIRST_UNPRIVILEGED = 1024;

/** Rules between the ports of one service. */
function serviceProblems({ workload, servicePort, morePorts = [] }: Service, i: number): Problem[] {
  const taken = [servicePort ?? SERVICE_PORT, ...morePorts.map(({ port }) => port)];
  return morePorts.flatMap(({ port, targetPort }, j) => {
    const path = `services[${i}].morePorts[${j}]`;
    return [
      ...(taken.indexOf(port) <= j
        ? [
            {
              path: `${path}.port`,
              value: port,
              rule: "must be a port that the service does not have yet",
              fix:
                port === taken[0]
                  ? `Port ${port} is the service's first one, whose protocol is the key protocol.`
                  : "Remove one of them.",
            },
          ]
        : []),
      ...(workload === "existing" && targetPort !== undefined
        ? [
            {
              path: `${path}.targetPort`,
              value: targetPort,
              rule: "must be left out of an existing service: the owner of its pods decides",
              fix: "Remove it.",
            },
          ]
        : []),
      ...(workload !== "existing" && targetPort === undefined && port < FIRST_UNPRIVILEGED
        ? [
            {
              path: `${path}.targetPort`,
              rule: `must be given where port is below ${FIRST_UNPRIVILEGED}, on which the container cannot listen`,
              fix: "For example: 9090.",
            },
          ]
        : []),
    ];
  });
}

/** Rules for the ports of services, and for the chain that they are in. */
export function portProblems(services: readonly Service[], chain: Chain | undefined): Problem[] {
  return services.flatMap((service, i) => [
    ...serviceProblems(service, i),
    ...(["stable", "canary"] as const).flatMap((role) =>
      service[role]?.version === TCP_SUBSET
        ? [
            {
              path: `services[${i}].${role}.version`,
              value: TCP_SUBSET,
              rule: "must be another name: it is that of stable for connections to tcp ports",
              fix: "For example: v2.",
            },
          ]
        : [],
    ),
    ...(chain && service.protocol !== undefined && service.protocol !== "http"
      ? [
          {
            path: `services[${i}].protocol`,
            value: service.protocol,
            rule: "must be http in a chain: the preflight asks each service over HTTP/1.1",
            fix: "Make an HTTP port the first one, and list this one under morePorts.",
          },
        ]
      : []),
  ]);
}
