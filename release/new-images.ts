import * as z from "zod";
import { allOf } from "../lib/enumerate.ts";
import { fromJson } from "../lib/from-json.ts";
import { idOf, isLabelValue, serviceKey } from "../lib/names.ts";

/** An image that a release begins with. */
export interface NewImage {
  /** The service, as `name` or `namespace/name`. */
  readonly service: string;
  readonly image: string;
  /** Name of its version. @default the image's tag */
  readonly version?: string | undefined;
}

const version = z.looseObject({ version: z.string(), image: z.string().optional() });
const services = z.array(
  z.looseObject({
    name: z.string(),
    namespace: z.string(),
    workload: z.string().optional(),
    stable: version,
    canary: version.optional(),
  }),
);
type Service = z.output<typeof services>[number];

/** A service whose canary is another one than before. */
interface Changed {
  /** The service, as `namespace/name`. */
  readonly key: string;
  readonly name: string;
  readonly namespace: string;
  readonly version: string;
  /** The canary that was there before under another name, and goes. @default there was none */
  readonly leaves?: string | undefined;
}

/** The services with the canaries that the images make. */
export interface WithImages {
  /** The value of `services`, as text. */
  readonly services: string;
  /** None if all images are their canaries' already. */
  readonly changed: readonly Changed[];
}

const keyOf = (service: Service) => serviceKey(idOf(service));

function pair(option: string, text: string): readonly [string, string] {
  const at = text.indexOf("=");
  const [name, value] = [text.slice(0, at), text.slice(at + 1)];
  if (at < 1 || value === "") {
    throw new Error(`${option} ${text}: write the service and what it gets, ${EXAMPLES[option]}.`);
  }
  return [name, value];
}

const EXAMPLES: Readonly<Record<string, string>> = {
  "--image": "--image user-service=registry.example.com/user-service:v3",
  "--version": "--version user-service=v3",
};

/**
 * Reads the options `--image NAME=IMAGE` and `--version NAME=VERSION`.
 *
 * @throws if one of them is written otherwise, is there twice, or a version has no image
 */
export function newImages(
  images: readonly string[],
  versions: readonly string[],
): readonly NewImage[] {
  const named = versions.map((text) => pair("--version", text));
  const found = images.map((text): NewImage => {
    const [service, image] = pair("--image", text);
    return { service, image, version: named.find(([name]) => name === service)?.[1] };
  });
  const names = found.map(({ service }) => service);
  for (const [option, given] of [
    ["--image", names],
    ["--version", named.map(([name]) => name)],
  ] as const) {
    const twice = given.find((name, i) => given.indexOf(name) !== i);
    if (twice !== undefined) throw new Error(`${option} ${twice}=…: is there twice.`);
  }
  const [lost] = named.find(([name]) => !names.includes(name)) ?? [];
  if (lost !== undefined) {
    throw new Error(
      `--version ${lost}=…: there is no --image ${lost}=…, whose version it could be.`,
    );
  }
  return found;
}

/** The tag of an image, with or without a digest behind it. @returns undefined if it has none */
function tagOf(image: string): string | undefined {
  const [named = ""] = image.split("@");
  return /:([^/:]+)$/.exec(named)?.[1];
}

/**
 * Makes images the canaries of their services. A canary that is there keeps its other keys; a new one has those of stable.
 *
 * @param text the value of `services`, as the config has it
 * @throws naming all images of which no release can be made
 */
export function withImages(text: string | undefined, images: readonly NewImage[]): WithImages {
  const all = services.parse(fromJson(text ?? "[]"));
  const problems: string[] = [];
  const changed: Changed[] = [];
  const next = new Map<Service, Service>();
  for (const each of images) {
    const found = serviceOf(all, each);
    if (typeof found === "string") problems.push(found);
    else if (next.has(found)) problems.push(`${keyOf(found)} is named twice.`);
    else {
      const canary = canaryOf(found, each);
      if (typeof canary === "string") problems.push(`${keyOf(found)}: ${canary}`);
      else {
        next.set(found, { ...found, canary });
        const { canary: before } = found;
        if (before?.image !== canary.image || before?.version !== canary.version) {
          changed.push({
            ...{ key: keyOf(found), name: found.name, namespace: found.namespace },
            version: canary.version,
            ...(before && before.version !== canary.version && { leaves: before.version }),
          });
        }
      }
    }
  }
  if (problems.length > 0) {
    throw new Error(
      ["No release can begin with these images:", ...problems.map((each) => ` - ${each}`)].join(
        "\n",
      ),
    );
  }
  return { services: JSON.stringify(all.map((each) => next.get(each) ?? each)), changed };
}

function serviceOf(all: readonly Service[], { service }: NewImage): Service | string {
  const found = all.filter((each) => each.name === service || keyOf(each) === service);
  const [first, ...others] = found;
  if (first && others.length === 0) return first;
  return first
    ? `${service} is the name of ${allOf(found.map(keyOf))}: write its namespace too, --image ${keyOf(first)}=…`
    : `${service} is no service of the stack, which has ${allOf(all.map(keyOf)) || "none"}.`;
}

/** The canary that an image makes, or why it makes none. */
function canaryOf(service: Service, { image, version }: NewImage): Service["stable"] | string {
  const { workload, stable, canary } = service;
  if (workload === "existing") {
    return "its pods are made by others (workload: existing), who start those of the new version. Then name the version in services[].canary.";
  }
  if (image === stable.image) {
    return `stable ${stable.version} has the image ${image} already, so there is nothing to release.`;
  }
  const isThere = canary?.image === image;
  const name = version ?? (isThere ? canary.version : tagOf(image));
  const option = `--version ${service.name}=…`;
  if (name === undefined || !isLabelValue(name)) {
    return `${name === undefined ? `the image ${image} has no tag` : `${name} is no value of a label`}, by which the version would be named: name it by ${option}, for example v3.`;
  }
  if (name === stable.version) {
    return `the version would be named ${name}, as stable is, which has the image ${stable.image ?? ""}: name it by ${option}`;
  }
  return { ...(canary ?? stable), version: name, image };
}
