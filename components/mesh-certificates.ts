import { X509Certificate } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { IssuedCertificate } from "./issued-certificate.ts";

/** The authority of one cluster, as istiod reads it from the Secret `cacerts`. All parts are PEM. */
export interface CertificateAuthority {
  /** The cluster's intermediate (`ca-cert.pem`). */
  readonly certificate: pulumi.Output<string>;
  /** Its private key (`ca-key.pem`), a secret. */
  readonly privateKey: pulumi.Output<string>;
  /** The root that all clusters trust (`root-cert.pem`). */
  readonly root: pulumi.Output<string>;
  /** From the intermediate up to the root (`cert-chain.pem`). */
  readonly chain: pulumi.Output<string>;
  /** When the intermediate expires, ISO 8601 in UTC. */
  readonly expires: pulumi.Output<string>;
}

/** Certificates that are issued elsewhere. All parts are PEM. */
export interface OwnCertificates {
  /** The root; its key stays where it is. */
  readonly root: string;
  /** For each cluster the intermediate, its key, and certificates between it and the root. */
  readonly clusters: Readonly<
    Record<
      string,
      { readonly certificate: string; readonly key: string; readonly chain?: string | undefined }
    >
  >;
}

export interface MeshCertificatesArgs {
  /** Names of the clusters. A new one gets an intermediate from the same root. */
  readonly clusters: readonly string[];
  /** Organisation in the subjects, usually the mesh id. Changing it issues new intermediates. */
  readonly organization: string;
  /** Days the root is valid, from when it is first made. @default 3650 */
  readonly rootDays?: number | undefined;
  /** Days an intermediate is valid, at most as long as the root. @default 365 */
  readonly intermediateDays?: number | undefined;
  /**
   * Any text, such as a date. Changing it issues new intermediates from the same root: istiod loads
   * them while it runs, and workloads change over as their own certificates are renewed, so no
   * connection breaks. @default "1"
   */
  readonly rotation?: string | undefined;
  /** Uses these instead of generating any; keys are kept as secrets. @default generated */
  readonly own?: OwnCertificates | undefined;
}

/**
 * One root certificate and an intermediate authority for each cluster, so that workloads of all
 * clusters trust each other and a leaked intermediate compromises one cluster alone. The key of a
 * generated root is a secret in the state and in no cluster.
 */
export class MeshCertificates extends pulumi.ComponentResource {
  static readonly type = "istio-canary:mesh:MeshCertificates";
  /** By cluster name. */
  readonly authorities: Readonly<Record<string, CertificateAuthority>>;
  /** When the root expires, ISO 8601 in UTC. */
  readonly rootExpires: pulumi.Output<string>;

  constructor(name: string, args: MeshCertificatesArgs, opts?: pulumi.ComponentResourceOptions) {
    super(MeshCertificates.type, name, {}, opts);
    const { authorities, rootExpires } = args.own
      ? given(args.clusters, args.own)
      : this.#generate(name, args);
    this.authorities = authorities;
    this.rootExpires = rootExpires;
    this.registerOutputs({
      rootExpires,
      expires: Object.fromEntries(args.clusters.map((c) => [c, authorities[c]?.expires])),
    });
  }

  #generate(name: string, args: MeshCertificatesArgs) {
    const { organization, rotation = "1" } = args;
    const root = new IssuedCertificate(
      `${name}-root`,
      {
        commonName: "Root CA",
        organization,
        days: args.rootDays ?? 3650,
        pathLength: 1,
        rotation: "root",
      },
      // A new root would end the trust between old and new workloads: no setting may issue one.
      { parent: this, ignoreChanges: ["organization", "days"] },
    );
    const authorities = args.clusters.map((cluster) => {
      const intermediate = new IssuedCertificate(
        `${name}-${cluster}`,
        {
          commonName: `Intermediate CA ${cluster}`,
          organization,
          days: args.intermediateDays ?? 365,
          pathLength: 0,
          rotation,
          issuerCertificate: root.certificate,
          issuerKey: pulumi.secret(root.privateKey),
        },
        { parent: this },
      );
      const authority: CertificateAuthority = {
        certificate: intermediate.certificate,
        privateKey: pulumi.secret(intermediate.privateKey),
        root: root.certificate,
        chain: pulumi.concat(intermediate.certificate, root.certificate),
        expires: intermediate.expires,
      };
      return [cluster, authority] as const;
    });
    return { authorities: Object.fromEntries(authorities), rootExpires: root.expires };
  }
}

/** When a certificate expires, ISO 8601 in UTC. */
function expiry(pem: string): string {
  return new X509Certificate(pem).validToDate.toISOString();
}

function given(clusters: readonly string[], { root, clusters: pems }: OwnCertificates) {
  const line = (pem: string) => (pem.endsWith("\n") ? pem : `${pem}\n`);
  const authorities = clusters.map((cluster) => {
    const pem = pems[cluster];
    if (!pem) {
      throw new pulumi.RunError(
        `There is no certificate for ${cluster}. Add one next to the others.`,
      );
    }
    const authority: CertificateAuthority = {
      certificate: pulumi.output(line(pem.certificate)),
      privateKey: pulumi.secret(line(pem.key)),
      root: pulumi.output(line(root)),
      chain: pulumi.output(line(pem.certificate) + (pem.chain ? line(pem.chain) : "") + line(root)),
      expires: pulumi.output(expiry(pem.certificate)),
    };
    return [cluster, authority] as const;
  });
  return {
    authorities: Object.fromEntries(authorities),
    rootExpires: pulumi.output(expiry(root)),
  };
}
