import { X509Certificate } from "node:crypto";

import type { V1Pod } from "@kubernetes/client-node";

import { SYSTEM_NAMESPACE } from "../lib/names.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { servedChain } from "./served-chain.ts";

/** Port by which istiod serves its proxies. Its certificate is signed by the authority that signs theirs. */
export const ISTIOD_TLS_PORT = 15012;

const PEM = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** The root certificates that a cluster's proxies trust, as istiod tells every namespace. */
export async function rootsOf(cluster: ClusterClient): Promise<readonly X509Certificate[]> {
  const { data = {} } = await cluster.core.readNamespacedConfigMap({
    name: "istio-ca-root-cert",
    namespace: SYSTEM_NAMESPACE,
  });
  return (data["root-cert.pem"]?.match(PEM) ?? []).map((pem) => new X509Certificate(pem));
}

/**
 * The authorities by which an istiod signs: first its own, then those up to the root, as far as it sends them. None if
 * it was given no authority: then it signs by a root of its own.
 *
 * @throws if it does not answer
 */
export async function authoritiesOf(
  cluster: ClusterClient,
  istiod: V1Pod,
): Promise<readonly X509Certificate[]> {
  const [, ...authorities] = await servedChain(cluster, istiod, ISTIOD_TLS_PORT);
  return authorities;
}

/** Whether a certificate was issued by another one, which may be itself. */
export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}
