import * as pulumi from "@pulumi/pulumi";
import { issueCertificate, type CertificateRequest } from "../lib/issue-certificate.ts";

/** What the provider compares and passes on; the SDK adds a key of its own to it. */
interface Inputs extends CertificateRequest {
  readonly rotation: string;
}

export interface IssuedCertificateArgs {
  readonly commonName: string;
  readonly organization: string;
  /** Time the certificate is valid, in days. Changing it issues a new one. */
  readonly days: number;
  /** How many authorities may follow below it. */
  readonly pathLength: number;
  /** Any text; changing it issues a new certificate with a new key. */
  readonly rotation: string;
  /** PEM of the authority that signs. @default none: the certificate signs itself */
  readonly issuerCertificate?: pulumi.Input<string>;
  /** Its private key, PKCS #8 PEM. */
  readonly issuerKey?: pulumi.Input<string>;
}

/**
 * The issuer's private key is neither stored nor compared: the certificate alone shows
 * that the pair has changed.
 */
async function issue({ rotation, ...request }: Inputs) {
  const { commonName, organization, days, pathLength, issuerCertificate, issuerKey } = request;
  const issued = await issueCertificate({
    commonName,
    organization,
    days,
    pathLength,
    issuerCertificate,
    issuerKey,
  });
  return {
    ...issued,
    commonName,
    organization,
    days,
    pathLength,
    rotation,
    ...(issuerCertificate !== undefined && { issuerCertificate }),
  };
}

const provider: pulumi.dynamic.ResourceProvider<Inputs> = {
  async create(inputs) {
    const outs = await issue(inputs);
    return { id: crypto.randomUUID(), outs };
  },
  async update(_id, _olds, news) {
    return { outs: await issue(news) };
  },
  async diff(_id, olds: Partial<Inputs>, news) {
    const compared = [
      "commonName",
      "organization",
      "days",
      "pathLength",
      "rotation",
      "issuerCertificate",
    ] as const;
    return Promise.resolve({ changes: compared.some((key) => olds[key] !== news[key]) });
  },
};

/**
 * A certificate authority that is issued once and kept in the state, its key as a secret. Changing
 * any input reissues it, in place.
 */
export class IssuedCertificate extends pulumi.dynamic.Resource {
  declare readonly certificate: pulumi.Output<string>;
  declare readonly privateKey: pulumi.Output<string>;
  /** End of validity, ISO 8601 in UTC. */
  declare readonly expires: pulumi.Output<string>;

  constructor(name: string, args: IssuedCertificateArgs, opts?: pulumi.CustomResourceOptions) {
    super(
      provider,
      name,
      { ...args, certificate: undefined, privateKey: undefined, expires: undefined },
      pulumi.mergeOptions(opts, { additionalSecretOutputs: ["privateKey"] }),
      "istio-canary",
      "Certificate",
    );
  }
}
