/** What a cluster's certificate authority is made of, as istiod reads it, base64. */
interface AuthorityPems {
  /** @default the Secret has none */
  readonly authority: string | undefined;
  /** @default the Secret has none */
  readonly root: string | undefined;
}

/** The certificates in the Secret `cacerts`: by Istio's own names, or by those that cert-manager writes, which it reads too. */
export function authorityPems(data: Readonly<Record<string, string>>): AuthorityPems {
  return {
    authority: data["ca-cert.pem"] ?? data["tls.crt"],
    root: data["root-cert.pem"] ?? data["ca.crt"],
  };
}
