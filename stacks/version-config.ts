import { configDigests, type ConfigDigests, type VersionConfig } from "../lib/version-config.ts";
import type { ReleaseSettings } from "./config.ts";
import type { Service } from "./schema.ts";

type Said = Pick<Service["stable"], "files" | "secretFiles" | "secretEnv">;

/** A version's own over the service's; secrets by their names. */
export function configSaid(service: Said, version: Said): VersionConfig {
  return {
    files: { ...service.files, ...version.files },
    secretFiles: { ...service.secretFiles, ...version.secretFiles },
    secretEnv: { ...service.secretEnv, ...version.secretEnv },
  };
}

/** What a version reads, and its digests. Checks of the configuration see to it that every secret is there. */
export function configOf(
  { secrets, secretsKey }: Pick<ReleaseSettings, "secrets" | "secretsKey">,
  service: Said & { readonly name: string; readonly namespace: string },
  version: Said,
): VersionConfig & { readonly digests: ConfigDigests } {
  const { files, secretFiles, secretEnv } = configSaid(service, version);
  const resolved = (names: Readonly<Record<string, string>>) =>
    Object.fromEntries(
      Object.entries(names).map(([place, name]) => [place, secrets[name] ?? ""] as const),
    );
  const config = {
    files,
    secretFiles: resolved(secretFiles),
    secretEnv: resolved(secretEnv),
  };
  const id = { service: service.name, namespace: service.namespace };
  return { ...config, digests: configDigests(config, id, secretsKey) };
}
