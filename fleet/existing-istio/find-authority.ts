import { X509Certificate } from "node:crypto";
import type { TrustedRoot } from "../../lib/existing-istio/found.ts";
import { authorityPems } from "../authority-pems.ts";
import { SYSTEM_NAMESPACE } from "../../lib/names.ts";
import type { ClusterClient } from "../cluster-client.ts";
import { isNotFound } from "../explain.ts";

const PEM = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** The root certificates that a cluster's proxies trust, as istiod tells every namespace. */
export async function findRoots(cluster: ClusterClient): Promise<readonly TrustedRoot[]> {
  const { data = {} } = await cluster.core.readNamespacedConfigMap({
    name: "istio-ca-root-cert",
    namespace: SYSTEM_NAMESPACE,
  });
  return (data["root-cert.pem"]?.match(PEM) ?? []).map((pem) => {
    const { fingerprint256, validToDate } = new X509Certificate(pem);
    return {
      fingerprint: fingerprint256.replaceAll(":", "").toLowerCase(),
      expires: validToDate.toISOString(),
    };
  });
}

/** When the certificate authority ends by which istiod signs, ISO 8601 in UTC; undefined if it was not given one. */
export async function findAuthority(cluster: ClusterClient): Promise<string | undefined> {
  try {
    const { data = {} } = await cluster.core.readNamespacedSecret({
      name: "cacerts",
      namespace: SYSTEM_NAMESPACE,
    });
    const pem = authorityPems(data).authority;
    return pem && new X509Certificate(Buffer.from(pem, "base64")).validToDate.toISOString();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
