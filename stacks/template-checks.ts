import { SERVICE_PORT } from "../lib/names.ts";
import { isFields, type Fields } from "../lib/pod-template.ts";
import { portName, PROTOCOLS } from "../lib/ports.ts";
import type { Problem } from "../lib/problems.ts";
import type { Loose } from "./checks.ts";

/** User and group of the sidecar, whose traffic it does not catch. */
const SIDECAR_ID = 1337;
/** The sidecar's own containers, which Istio lets a template change. */
const isSidecar = (name: unknown) => typeof name === "string" && name.startsWith("istio-");
const REMOVE = "Remove it.";

/** Fields of the pod's spec that are not the user's, and why. */
const OWNED_SPEC: Readonly<Record<string, readonly [rule: string, fix: string]>> = {
  serviceAccountName: [
    "must be left out: the program makes the ServiceAccount, by whose identity the clusters know the service",
    "Remove it; accountAnnotations give the account a cloud's role.",
  ],
  serviceAccount: [
    "must be left out: the program makes the ServiceAccount, by whose identity the clusters know the service",
    "Remove it; accountAnnotations give the account a cloud's role.",
  ],
  ephemeralContainers: [
    "must be left out: Kubernetes takes them of running pods only",
    "Remove it; kubectl debug adds one.",
  ],
};

/** The elements of a list that are maps, each with its place. */
function elements(of: Fields, name: string, path: string) {
  const list = of[name];
  return Array.isArray(list)
    ? list.flatMap((element: unknown, i) =>
        isFields(element) ? [{ element, at: `${path}.${name}[${i}]` }] : [],
      )
    : [];
}

const fieldsOf = (value: unknown): Fields => (isFields(value) ? value : {});

/** Fields that are null where the pods are nothing without them. */
function nulls(of: Fields, path: string, names: readonly string[]): Problem[] {
  return names.flatMap((name) =>
    of[name] === null
      ? [
          {
            path: `${path}.${name}`,
            value: null,
            rule: "must not be null: the program's own are in it",
            fix: "Remove it, or write what is to be merged.",
          },
        ]
      : [],
  );
}

function metadataProblems(metadata: Fields, path: string): Problem[] {
  const labels = fieldsOf(metadata["labels"]);
  const owned = ["app", "version", "env"].flatMap((name) =>
    name in labels
      ? [
          {
            path: `${path}.labels.${name}`,
            value: labels[name],
            rule: "must be left out: the program sets it, and finds the pods of a version by it",
            fix: REMOVE,
          },
        ]
      : [],
  );
  const inject = ["labels", "annotations"].flatMap((map) => {
    const value = fieldsOf(metadata[map])["sidecar.istio.io/inject"];
    return value === undefined || value === true || value === "true"
      ? []
      : [
          {
            path: `${path}.${map}.sidecar.istio.io/inject`,
            value,
            rule: "must be true or left out: without a sidecar no weight holds for the pods, and no cluster confirms it",
            fix: REMOVE,
          },
        ];
  });
  const others = Object.keys(metadata)
    .filter((name) => !["labels", "annotations"].includes(name))
    .map((name) => ({
      path: `${path}.${name}`,
      value: metadata[name],
      rule: "must be left out: a pod template has labels and annotations only",
      fix: REMOVE,
    }));
  return [...nulls(metadata, path, ["labels"]), ...owned, ...inject, ...others];
}

function userProblems(of: Fields, path: string): Problem[] {
  const context = fieldsOf(of["securityContext"]);
  return ["runAsUser", "runAsGroup"].flatMap((name) =>
    context[name] === SIDECAR_ID
      ? [
          {
            path: `${path}.securityContext.${name}`,
            value: SIDECAR_ID,
            rule: "must not be 1337, the id of the sidecar, which does not catch its own traffic",
            fix: "Choose another one, for example 65532.",
          },
        ]
      : [],
  );
}

/** What the program says of the service's own container. */
function mainProblems(container: Fields, at: string, service: Loose): Problem[] {
  const protocol = PROTOCOLS.find((each) => each === service["protocol"]) ?? "http";
  const name = portName({ port: SERVICE_PORT, protocol }, true);
  const ports = elements(container, "ports", at).flatMap(({ element, at: place }) =>
    element["name"] === name || element["containerPort"] === service["port"]
      ? [
          {
            path: place,
            value: element,
            rule: `must not be the service's own port, ${name}, which the program sets from port`,
            fix: "Set services[].port, or give another name and number.",
          },
        ]
      : [],
  );
  const variables = elements(container, "env", at).flatMap(({ element, at: place }) =>
    element["name"] === "SERVICE_VERSION" || element["name"] === "CLUSTER_NAME"
      ? [
          {
            path: `${place}.name`,
            value: element["name"],
            rule: "must not be SERVICE_VERSION or CLUSTER_NAME, which the program sets",
            fix: "Name another variable; it may refer to them, as in $(CLUSTER_NAME).",
          },
        ]
      : [],
  );
  return [
    ...("image" in container
      ? [
          {
            path: `${at}.image`,
            value: container["image"],
            rule: "must be left out: the image is what a version is released by",
            fix: "Set the image of stable or canary.",
          },
        ]
      : []),
    ...nulls(container, at, ["ports", "env"]),
    ...ports,
    ...variables,
  ];
}

function specProblems(spec: Fields, path: string, service: Loose): Problem[] {
  const { hostNetwork, restartPolicy } = spec;
  const containers = elements(spec, "containers", path);
  const inits = elements(spec, "initContainers", path);
  return [
    ...nulls(spec, path, ["containers"]),
    ...Object.entries(OWNED_SPEC).flatMap(([name, [rule, fix]]) =>
      name in spec ? [{ path: `${path}.${name}`, value: spec[name], rule, fix }] : [],
    ),
    ...(hostNetwork !== undefined && hostNetwork !== null && hostNetwork !== false
      ? [
          {
            path: `${path}.hostNetwork`,
            value: hostNetwork,
            rule: "must be left out: Istio gives pods in the node's network no sidecar",
            fix: REMOVE,
          },
        ]
      : []),
    ...(restartPolicy !== undefined && restartPolicy !== null && restartPolicy !== "Always"
      ? [
          {
            path: `${path}.restartPolicy`,
            value: restartPolicy,
            rule: "must be Always, which is all that a Deployment takes",
            fix: REMOVE,
          },
        ]
      : []),
    ...userProblems(spec, path),
    ...[...containers, ...inits].flatMap(({ element, at }) =>
      isSidecar(element["name"]) ? [] : userProblems(element, at),
    ),
    ...containers.flatMap(({ element, at }) =>
      element["name"] === service["name"] ? mainProblems(element, at, service) : [],
    ),
    ...inits.flatMap(({ element, at }) =>
      element["name"] === service["name"]
        ? [
            {
              path: `${at}.name`,
              value: element["name"],
              rule: "must not be the service's name, which its own container has",
              fix: "Give it another name.",
            },
          ]
        : [],
    ),
    ...containers.flatMap(({ element, at }) =>
      typeof element["name"] === "string" &&
      element["name"] !== service["name"] &&
      !isSidecar(element["name"]) &&
      typeof element["image"] !== "string"
        ? [
            {
              path: `${at}.image`,
              rule: `must be given: ${element["name"]} is a further container; the service's own is named ${String(service["name"])}`,
              fix: `Write its image, or name it ${String(service["name"])}.`,
            },
          ]
        : [],
    ),
  ];
}

/**
 * What templates must leave to the program.
 *
 * @param services as they were written: a wrong field hides nothing else
 */
export function templateProblems(services: readonly Loose[]): Problem[] {
  return services.flatMap((service, i) => {
    const { template } = service;
    if (!isFields(template)) return [];
    const path = `services[${i}].template`;
    const { metadata, spec } = template;
    return [
      ...nulls(template, path, ["metadata", "spec"]),
      ...(isFields(metadata) ? metadataProblems(metadata, `${path}.metadata`) : []),
      ...(isFields(spec) ? specProblems(spec, `${path}.spec`, service) : []),
    ];
  });
}
