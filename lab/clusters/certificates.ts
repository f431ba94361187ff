import "reflect-metadata";
import { X509Certificate, webcrypto } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import * as x509 from "@peculiar/x509";
import { readIfThere } from "../files.ts";
import type { ClusterSettings, NodeSettings } from "../settings.ts";
import { nthAddress, type ClusterAddresses } from "./addresses.ts";
import { kubeconfig, stringifyKubeconfig } from "./kubeconfig.ts";

/** Who gets a certificate in a cluster. */
interface Identity {
  /** Name and group that Kubernetes knows it by. */
  readonly name: string;
  readonly group?: string;
  /** Address that it serves at. @default the control plane's */
  readonly address?: string;
}

/** Every identity of a cluster, by the name of its files. */
function identities({ nodes }: ClusterAddresses): Readonly<Record<string, Identity>> {
  return {
    "kube-apiserver": { name: "kube-apiserver" },
    admin: { name: "admin", group: "system:masters" },
    ...Object.fromEntries(
      nodes.map((node): [string, Identity] => [
        kubeletIdentity(node),
        { name: `system:node:${node.name}`, group: "system:nodes", address: node.address },
      ]),
    ),
    "kube-controller-manager": { name: "system:kube-controller-manager" },
    "kube-scheduler": { name: "system:kube-scheduler" },
    "kube-proxy": { name: "system:kube-proxy" },
    "load-balancer": { name: "lab:load-balancer" },
  };
}

/** Of all keys and signatures in the lab. */
export const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const day = 24 * 60 * 60 * 1000;
const validity = 365 * day;

/** The folder with a cluster's keys and certificates. */
export function pkiDir(cluster: ClusterSettings): string {
  return path.join(cluster.dir, "pki");
}

/** Name of the files with the key and certificate of a node's kubelet. */
export function kubeletIdentity(node: NodeSettings): string {
  return `kubelet${node.suffix}`;
}

/** Address of a cluster's API server. */
export function apiServer({ controlPlane }: ClusterAddresses): string {
  return `https://${controlPlane}:6443`;
}

/**
 * Makes sure that a cluster has a CA, a certificate for each of its programs, a key for service
 * account tokens, and a kubeconfig for each client. All are reissued when the control plane's
 * address changes or they expire within a month.
 */
export async function ensureCertificates(
  cluster: ClusterSettings,
  addresses: ClusterAddresses,
): Promise<void> {
  const dir = pkiDir(cluster);
  if (await isUsable(path.join(dir, "kube-apiserver.crt"), addresses)) return;
  // Written beside and moved into place, so that an interrupted run leaves no half set.
  const made = `${dir}.new`;
  await rm(made, { recursive: true, force: true });
  await mkdir(made, { recursive: true, mode: 0o700 });
  await writeAll(made, cluster, addresses);
  await rm(dir, { recursive: true, force: true });
  await rename(made, dir);
}

async function isUsable(file: string, addresses: ClusterAddresses): Promise<boolean> {
  const pem = await readIfThere(file);
  if (pem === undefined) return false;
  const certificate = new X509Certificate(pem);
  return (
    certificate.checkIP(addresses.controlPlane) !== undefined &&
    certificate.validToDate.getTime() > Date.now() + 30 * day
  );
}

async function writeAll(
  dir: string,
  cluster: ClusterSettings,
  addresses: ClusterAddresses,
): Promise<void> {
  const write = (name: string, content: string) =>
    writeFile(path.join(dir, name), content, { mode: 0o600 });
  const caKeys = await newKeys();
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${cluster.name}-lab-ca`,
    keys: caKeys,
    notBefore: new Date(Date.now() - day),
    notAfter: new Date(Date.now() + validity),
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature,
        true,
      ),
    ],
  });
  const caPem = ca.toString("pem");
  await write("ca.crt", caPem);
  await write("ca.key", await privatePem(caKeys.privateKey));
  const tokens = await newKeys();
  await write("service-accounts.key", await privatePem(tokens.privateKey));
  await write("service-accounts.pub", await publicPem(tokens.publicKey));
  for (const [file, { name, group, address }] of Object.entries(identities(addresses))) {
    const keys = await newKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      subject: [...(group ? [{ O: [group] }] : []), { CN: [name] }],
      issuer: ca.subject,
      publicKey: keys.publicKey,
      signingKey: caKeys.privateKey,
      signingAlgorithm: algorithm,
      notBefore: new Date(Date.now() - day),
      notAfter: new Date(Date.now() + validity),
      extensions: [
        new x509.SubjectAlternativeNameExtension(
          file === "kube-apiserver"
            ? apiServerNames(cluster, addresses)
            : [{ type: "ip", value: address ?? addresses.controlPlane }],
        ),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([
          x509.ExtendedKeyUsage.serverAuth,
          x509.ExtendedKeyUsage.clientAuth,
        ]),
      ],
    });
    const pem = certificate.toString("pem");
    const key = await privatePem(keys.privateKey);
    await write(`${file}.crt`, pem);
    await write(`${file}.key`, key);
    const config = kubeconfig({
      name: cluster.name,
      server: apiServer(addresses),
      ca: caPem,
      certificate: pem,
      key,
    });
    await write(`${file}.kubeconfig`, stringifyKubeconfig(config));
  }
}

function apiServerNames(
  cluster: ClusterSettings,
  addresses: ClusterAddresses,
): x509.JsonGeneralName[] {
  const service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"];
  return [
    ...["127.0.0.1", addresses.controlPlane, nthAddress(cluster.serviceCidr, 1)].map((value) => ({
      type: "ip" as const,
      value,
    })),
    ...[...service, "kubernetes.default.svc.cluster.local"].map((value) => ({
      type: "dns" as const,
      value,
    })),
  ];
}

/** A key pair for a certificate. */
export async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

/** A private key as PKCS #8 PEM. */
export async function privatePem(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
}

async function publicPem(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey("spki", key), "PUBLIC KEY");
}
