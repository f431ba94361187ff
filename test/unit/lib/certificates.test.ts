import { createPrivateKey, X509Certificate } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { authorityProblems, pairProblems } from "../../../lib/certificates.ts";
import { issueCertificate, type IssuedPems } from "../../../lib/issue-certificate.ts";

const request = (commonName: string, days: number, issuer?: IssuedPems) =>
  issueCertificate({
    commonName,
    organization: "prod-mesh",
    days,
    pathLength: issuer ? 0 : 1,
    issuerCertificate: issuer?.certificate,
    issuerKey: issuer?.privateKey,
  });

let root: IssuedPems, other: IssuedPems, a: IssuedPems, b: IssuedPems;
beforeAll(async () => {
  [root, other] = await Promise.all([request("Root", 10), request("Other root", 10)]);
  [a, b] = await Promise.all([request("A", 5, root), request("B", 100, root)]);
});

describe("an issued certificate", () => {
  it("is an authority below the root, with the key it comes with", () => {
    const certificate = new X509Certificate(a.certificate);
    const issuer = new X509Certificate(root.certificate);
    expect(certificate.ca).toBe(true);
    expect(certificate.checkIssued(issuer)).toBe(true);
    expect(certificate.verify(issuer.publicKey)).toBe(true);
    expect(certificate.checkPrivateKey(createPrivateKey(a.privateKey))).toBe(true);
    expect(a.privateKey).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
    expect(certificate.subject).toBe("O=prod-mesh\nCN=A");
  });

  it("is valid for the days asked for, but not longer than its issuer", () => {
    expect(Date.parse(a.expires) - Date.now()).toBeCloseTo(5 * 86_400_000, -5);
    expect(b.expires).toBe(root.expires);
  });

  it("is another one each time", async () => {
    const again = await request("A", 5, root);
    expect(again.privateKey).not.toBe(a.privateKey);
    const serial = (pems: IssuedPems) => new X509Certificate(pems.certificate).serialNumber;
    expect(serial(again)).not.toBe(serial(a));
  });
});

describe("given certificates", () => {
  const clusters = ["cluster-a", "cluster-b"];
  const pems = ({ certificate, privateKey: key }: IssuedPems) => ({ certificate, key });
  const problems = (
    rootPem: string | undefined,
    authorities: Parameters<typeof authorityProblems>[2],
    now?: Date,
  ) =>
    authorityProblems("certificates", rootPem, authorities, clusters, now).map(
      ({ path, rule }) => `${path}: ${rule}`,
    );
  const good = () => ({ "cluster-a": pems(a), "cluster-b": pems(b) });

  it("are right when every cluster has an authority from the root", () => {
    expect(problems(root.certificate, good())).toEqual([]);
  });

  it("are wrong when half of them is missing", () => {
    expect(problems(undefined, good())).toEqual([
      "certificates.root: must be given: root and clusters are only useful together",
    ]);
    expect(problems(root.certificate, undefined)).toEqual([
      "certificates.clusters: must be given: root and clusters are only useful together",
    ]);
    expect(
      problems(root.certificate, { "cluster-a": { certificate: a.certificate }, "cluster-c": {} }),
    ).toEqual([
      "certificates.clusters.cluster-c: must be a cluster of the mesh",
      "certificates.clusters.cluster-a.key: must be given: certificate and key belong together",
      "certificates.clusters.cluster-b: must be given: every cluster needs its own authority",
    ]);
  });

  it("are wrong when a key belongs to another certificate", () => {
    expect(
      problems(root.certificate, {
        ...good(),
        "cluster-a": { certificate: a.certificate, key: b.privateKey },
      }),
    ).toEqual(["certificates.clusters.cluster-a.key: must be the private key of its certificate"]);
  });

  it("are wrong when the root has not signed them", () => {
    expect(problems(other.certificate, { ...good() })).toEqual(
      clusters.map(
        (cluster) =>
          `certificates.clusters.${cluster}.certificate: must be signed by the root, or by the first certificate of the chain that leads to it`,
      ),
    );
  });

  it("are wrong when they have expired", () => {
    const later = new Date(Date.now() + 7 * 86_400_000);
    expect(problems(root.certificate, good(), later)).toEqual([
      expect.stringMatching(
        /^certificates\.clusters\.cluster-a\.certificate: must be valid now, but it is valid from \S+ to \S+Z$/,
      ),
    ]);
  });

  it("never show a key", () => {
    const found = pairProblems(
      "ingress.tls",
      { certificate: a.certificate, key: "not a key, yet a secret" },
      new Date(),
    );
    expect(found).toHaveLength(1);
    expect(JSON.stringify(found)).not.toContain("yet a secret");
  });
});
