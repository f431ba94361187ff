import type { KubeconfigChoice } from "./kubeconfig.ts";
import type { Settings } from "./resource.ts";
import { at, textAt, type Fields } from "./values.ts";

/** A boolean setting; the engine passes it as text, and each has an environment variable. */
function isOn(config: Fields, name: string, variable: string): boolean {
  const given = at(config, name) ?? process.env[variable];
  return given === true || given === "true" || given === "1";
}

/** The provider's settings, from its inputs and the environment variables the official provider reads. */
export function settingsOf(config: Fields): Settings {
  return {
    namespace: textAt(config, "namespace"),
    mutability: {
      configMaps: isOn(config, "enableConfigMapMutable", "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE"),
      secrets: isOn(config, "enableSecretMutable", "PULUMI_K8S_ENABLE_SECRET_MUTABLE"),
    },
    enablePatchForce: isOn(config, "enablePatchForce", "PULUMI_K8S_ENABLE_PATCH_FORCE"),
    upsertExistingObjects: isOn(
      config,
      "upsertExistingObjects",
      "PULUMI_K8S_UPSERT_EXISTING_OBJECTS",
    ),
    deleteUnreachable: isOn(config, "deleteUnreachable", "PULUMI_K8S_DELETE_UNREACHABLE"),
  };
}

export function kubeconfigOf(config: Fields): KubeconfigChoice {
  return {
    kubeconfig: textAt(config, "kubeconfig"),
    context: textAt(config, "context"),
    cluster: textAt(config, "cluster"),
  };
}

/** Settings of the official provider with which this stand-in would do something other than asked for. */
export function unsupportedSettings(config: Fields): string[] {
  return [
    ...(at(config, "renderYamlToDirectory") === undefined ? [] : ["renderYamlToDirectory"]),
    ...(["false", false].some((off) => at(config, "enableServerSideApply") === off)
      ? ["enableServerSideApply"]
      : []),
    ...(at(config, "helmReleaseSettings") === undefined ? [] : ["helmReleaseSettings"]),
  ];
}
