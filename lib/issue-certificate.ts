/** A certificate authority to issue, self-signed unless an issuer is given. */
export interface CertificateRequest {
  readonly commonName: string;
  readonly organization: string;
  /** Time it is valid, in days from now. */
  readonly days: number;
  /** How many authorities may follow below it. */
  readonly pathLength: number;
  /** PEM of the authority that signs. */
  readonly issuerCertificate?: string | undefined;
  /** Its private key, PKCS #8 PEM. */
  readonly issuerKey?: string | undefined;
}

export interface IssuedPems {
  readonly certificate: string;
  /** PKCS #8 PEM. */
  readonly privateKey: string;
  /** End of validity, ISO 8601 in UTC. */
  readonly expires: string;
}

/**
 * Issues a certificate authority with a new key (ECDSA P-256).
 *
 * Pulumi stores this function's source in the state and runs it in the process of its dynamic
 * provider, so it captures nothing and loads what it needs where it needs it.
 */
export async function issueCertificate(request: CertificateRequest): Promise<IssuedPems> {
  const nodeModule = process.getBuiltinModule("node:module");
  const load = nodeModule.createRequire(`${process.cwd()}/index.js`);
  load("reflect-metadata");
  const x509 = load("@peculiar/x509") as typeof import("@peculiar/x509");

  const signingAlgorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const pem = (der: ArrayBuffer) => x509.PemConverter.encode(der, "PRIVATE KEY");
  const keys = await crypto.subtle.generateKey(signingAlgorithm, true, ["sign", "verify"]);
  const issuer =
    request.issuerCertificate !== undefined && request.issuerKey !== undefined
      ? {
          certificate: new x509.X509Certificate(request.issuerCertificate),
          key: await crypto.subtle.importKey(
            "pkcs8",
            x509.PemConverter.decodeFirst(request.issuerKey),
            signingAlgorithm,
            false,
            ["sign"],
          ),
        }
      : undefined;

  const wanted = Date.now() + request.days * 86_400_000;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: crypto.randomUUID().replaceAll("-", ""),
    subject: [{ O: [request.organization] }, { CN: [request.commonName] }],
    issuer: issuer
      ? issuer.certificate.subjectName
      : [{ O: [request.organization] }, { CN: [request.commonName] }],
    // Clocks of nodes differ; a certificate from the future would be refused.
    notBefore: new Date(Date.now() - 300_000),
    notAfter: new Date(Math.min(wanted, issuer?.certificate.notAfter.getTime() ?? wanted)),
    publicKey: keys.publicKey,
    signingKey: issuer?.key ?? keys.privateKey,
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, request.pathLength, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(
        issuer?.certificate.publicKey ?? keys.publicKey,
      ),
    ],
  });
  return {
    certificate: `${certificate.toString("pem")}\n`,
    privateKey: `${pem(await crypto.subtle.exportKey("pkcs8", keys.privateKey))}\n`,
    expires: certificate.notAfter.toISOString(),
  };
}
