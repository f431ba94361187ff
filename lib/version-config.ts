import { createHash, createHmac } from "node:crypto";
import type { ServiceName } from "./names.ts";

type Texts = Readonly<Record<string, string>>;

/** What a version reads beside its plain variables. */
export interface VersionConfig {
  /** Texts by the path under which the container finds them. */
  readonly files: Texts;
  /** The same of texts that are secret. */
  readonly secretFiles: Texts;
  /** Secret texts by variable. */
  readonly secretEnv: Texts;
}

/** The parts of a version's configuration. */
export const CONFIG_PARTS = [
  "files",
  "secretFiles",
  "secretEnv",
] as const satisfies readonly (keyof VersionConfig)[];
export type ConfigPart = (typeof CONFIG_PARTS)[number];

/** Names each part by its content; a part without any has none. */
export type ConfigDigests = Readonly<Partial<Record<ConfigPart, string>>>;

/** On a Deployment: the digests of what its pods read, by which an update sees that it is something else. */
export const CONFIG_ANNOTATIONS = {
  files: "istio-canary/files",
  secretFiles: "istio-canary/secret-files",
  secretEnv: "istio-canary/secret-env",
} as const satisfies Readonly<Record<ConfigPart, string>>;

/** Bytes of the keys and texts of a ConfigMap or a Secret together, at most. (Kubernetes: MaxSecretSize) */
export const MAX_CONFIG_BYTES = 1024 * 1024;

/** The key of a file in its ConfigMap or Secret: each path has its own, and no variable has it. */
export function fileKey(path: string): string {
  return path.replaceAll("_", "__").replaceAll("/", "_.");
}

/** The same content is the same text, whatever its order. */
function canonical(part: ConfigPart, { service, namespace }: ServiceName, texts: Texts): string {
  const sorted = Object.entries(texts).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([part, namespace, service, sorted]);
}

/**
 * The digests of what a version reads. Those of secrets are keyed: without the key nobody can try whether a secret is
 * the one that they guess. Of two services the same secret has two.
 *
 * @param key of the digests of secrets. @default there are no secrets
 * @throws if there are, and no key
 */
export function configDigests(
  config: VersionConfig,
  service: ServiceName,
  key: string | undefined,
): ConfigDigests {
  const digest = (part: ConfigPart) => {
    if (part === "files") return createHash("sha256");
    if (key === undefined)
      throw new Error("secrets need secretsKey, which the configuration lacks");
    return createHmac("sha256", key);
  };
  return Object.fromEntries(
    CONFIG_PARTS.flatMap((part) =>
      Object.keys(config[part]).length === 0
        ? []
        : [
            [
              part,
              digest(part)
                .update(canonical(part, service, config[part]))
                .digest("hex")
                .slice(0, 16),
            ],
          ],
    ),
  );
}

/** Names of the objects with a version's files and secrets; one that would be empty has none. */
export function configObjects(
  workload: string,
  { files, secretFiles, secretEnv }: ConfigDigests,
): { readonly configMap?: string; readonly secret?: string } {
  const secrets = [secretFiles, secretEnv].filter((each) => each !== undefined);
  // Of two digests that give nothing away, one may be made without a key.
  const digest =
    secrets.length === 1
      ? secrets[0]
      : createHash("sha256").update(secrets.join()).digest("hex").slice(0, 16);
  return {
    ...(files !== undefined && { configMap: `${workload}-${files}` }),
    ...(secrets.length > 0 && { secret: `${workload}-${digest ?? ""}` }),
  };
}
