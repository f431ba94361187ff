import { loadAll } from "js-yaml";
import * as z from "zod";

const everywhere = z.array(z.string()).optional();

/** What is read of Istio's MeshConfig; what it leaves out is as Istio takes it. */
const meshConfig = z.looseObject({
  trustDomain: z.string().default("cluster.local"),
  rootNamespace: z.string().default("istio-system"),
  enableAutoMtls: z.boolean().default(true),
  defaultServiceExportTo: everywhere,
  defaultVirtualServiceExportTo: everywhere,
  defaultDestinationRuleExportTo: everywhere,
  defaultConfig: z
    .looseObject({
      meshId: z.string().optional(),
      proxyMetadata: z.record(z.string(), z.unknown()).default({}),
    })
    .prefault({}),
});

const meshNetworks = z
  .looseObject({ networks: z.record(z.string(), z.unknown()).nullish() })
  .nullish();

/** The settings that say for which namespaces a rule is that does not say so itself. */
const EXPORTS = [
  "defaultServiceExportTo",
  "defaultVirtualServiceExportTo",
  "defaultDestinationRuleExportTo",
] as const;

/** The document of a text; one without any says nothing. */
function document(text = ""): unknown {
  return loadAll(text)[0] ?? {};
}

/**
 * What the ConfigMap with the mesh config says.
 *
 * @param data of the ConfigMap `istio`, or `istio-REVISION`
 * @throws if it is no mesh config
 */
export function readMeshConfig(data: Readonly<Record<string, string>>) {
  const config = meshConfig.parse(document(data["mesh"]));
  const networks = meshNetworks.parse(document(data["meshNetworks"]));
  return {
    trustDomain: config.trustDomain,
    rootNamespace: config.rootNamespace,
    // As Istio's injection does where the mesh has no id.
    meshId: config.defaultConfig.meshId ?? config.trustDomain,
    autoMtls: config.enableAutoMtls,
    hides: EXPORTS.filter((key) => !(config[key] ?? ["*"]).includes("*")),
    dnsCapture: config.defaultConfig.proxyMetadata["ISTIO_META_DNS_CAPTURE"] === "true",
    hasMeshNetworks: Object.keys(networks?.networks ?? {}).length > 0,
  };
}
