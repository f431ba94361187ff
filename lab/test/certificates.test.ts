import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clusterAddresses, type ClusterAddresses } from "../clusters/addresses.ts";
import { ensureCertificates, pkiDir } from "../clusters/certificates.ts";
import { labSettings, type ClusterSettings } from "../settings.ts";

let root: string;
let cluster: ClusterSettings;
let addresses: ClusterAddresses;
const read = (name: string) => readFile(path.join(pkiDir(cluster), name), "utf8");

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "pki-"));
  const [first] = labSettings(root, { LAB_NODES: "2" }).clusters;
  if (!first) throw new Error("the settings have no cluster");
  cluster = first;
  addresses = clusterAddresses("10.40.0.0/24", cluster);
  await ensureCertificates(cluster, addresses);
});
afterAll(async () => {
  await rm(root, { recursive: true });
});

describe("a cluster's certificates", () => {
  it("are signed by its CA, and fit their keys", async () => {
    const ca = new X509Certificate(await read("ca.crt"));
    expect(ca.ca).toBe(true);
    for (const name of ["admin", "kube-apiserver", "kubelet", "kubelet.2", "load-balancer"]) {
      const certificate = new X509Certificate(await read(`${name}.crt`));
      expect(certificate.verify(ca.publicKey), name).toBe(true);
      expect(certificate.checkPrivateKey(createPrivateKey(await read(`${name}.key`))), name).toBe(
        true,
      );
    }
  });

  it("say who their holders are", async () => {
    const subject = async (name: string) => new X509Certificate(await read(`${name}.crt`)).subject;
    expect(await subject("admin")).toBe("O=system:masters\nCN=admin");
    expect(await subject("kubelet")).toBe("O=system:nodes\nCN=system:node:cluster-a-node");
    expect(await subject("kubelet.2")).toBe("O=system:nodes\nCN=system:node:cluster-a-node.2");
    expect(await subject("load-balancer")).toBe("CN=lab:load-balancer");
  });

  it("name every address of the API server", async () => {
    const certificate = new X509Certificate(await read("kube-apiserver.crt"));
    for (const ip of ["127.0.0.1", "10.40.0.2", "10.96.0.1"]) {
      expect(certificate.checkIP(ip), ip).toBe(ip);
    }
    expect(certificate.checkHost("kubernetes.default.svc")).toBeDefined();
  });

  it("name the address of each kubelet alone", async () => {
    for (const [name, ip, other] of [
      ["kubelet", "10.40.0.2", "10.40.0.12"],
      ["kubelet.2", "10.40.0.12", "10.40.0.2"],
    ] as const) {
      const certificate = new X509Certificate(await read(`${name}.crt`));
      expect(certificate.checkIP(ip), name).toBe(ip);
      expect(certificate.checkIP(other), name).toBeUndefined();
    }
  });

  it("are in files for their owner alone", async () => {
    for (const name of await readdir(pkiDir(cluster))) {
      const { mode } = await stat(path.join(pkiDir(cluster), name));
      expect(mode & 0o777, name).toBe(0o600);
    }
  });

  it("stay, until the node has another address", async () => {
    const before = await read("ca.crt");
    await ensureCertificates(cluster, addresses);
    expect(await read("ca.crt")).toBe(before);
    await ensureCertificates(cluster, clusterAddresses("10.41.0.0/24", cluster));
    expect(await read("ca.crt")).not.toBe(before);
  });
});
