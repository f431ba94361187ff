import { beforeEach, describe, expect, it } from "vitest";
import { MeshCertificates, type MeshCertificatesArgs } from "../../../components/index.ts";
import { issueCertificate } from "../../../lib/issue-certificate.ts";
import { recordProgram, secretValue, valueOf, type Recording } from "../../helpers/mocks.ts";

const CERTIFICATE = "pulumi-nodejs:dynamic/istio-canary:Certificate";

describe("MeshCertificates", () => {
  let program: Recording;
  const make = async (more: Partial<MeshCertificatesArgs> = {}) => {
    const made = new MeshCertificates("certificates", {
      clusters: ["cluster-a", "cluster-b"],
      organization: "prod-mesh",
      ...more,
    });
    await program.settle();
    return made;
  };

  beforeEach(async () => {
    program = await recordProgram();
  });

  it("issues one root, and an intermediate from it for each cluster", async () => {
    await make({ rotation: "2026-11", intermediateDays: 90 });
    expect(program.ofType(CERTIFICATE).map(({ name }) => name)).toEqual([
      "certificates-root",
      "certificates-cluster-a",
      "certificates-cluster-b",
    ]);
    expect(program.named("certificates-root").inputs).toMatchObject({
      commonName: "Root CA",
      organization: "prod-mesh",
      days: 3650,
      pathLength: 1,
    });
    const { inputs } = program.named("certificates-cluster-b");
    expect(inputs).toMatchObject({
      commonName: "Intermediate CA cluster-b",
      days: 90,
      pathLength: 0,
      rotation: "2026-11",
      issuerCertificate: "certificate of certificates-root\n",
    });
    expect(secretValue(inputs["issuerKey"])).toBe("key of certificates-root\n");
  });

  it("keeps the root whatever setting changes: a new one would split the mesh", async () => {
    await make({ rotation: "one", rootDays: 10 });
    const { inputs, ignoreChanges } = program.named("certificates-root");
    program = await recordProgram();
    await make({ rotation: "two", rootDays: 20, organization: "other-mesh" });
    const changed = Object.entries(program.named("certificates-root").inputs)
      .filter(([key, value]) => key !== "__provider" && value !== inputs[key])
      .map(([key]) => key);
    expect(changed.sort()).toEqual(["days", "organization"]);
    expect(ignoreChanges).toEqual(expect.arrayContaining(changed));
  });

  it("chains each intermediate up to the root and tells when it expires", async () => {
    const { authorities } = await make();
    const authority = authorities["cluster-a"];
    expect(authority).toBeDefined();
    if (authority) {
      expect(await valueOf(authority.chain)).toBe(
        "certificate of certificates-cluster-a\ncertificate of certificates-root\n",
      );
      expect(await valueOf(authority.expires)).toBe("2027-01-01T00:00:00.000Z");
    }
  });

  it("uses certificates that are given, and generates none", async () => {
    const root = await issueCertificate({
      commonName: "Root",
      organization: "prod-mesh",
      days: 10,
      pathLength: 1,
    });
    const { certificate, privateKey, expires } = await issueCertificate({
      commonName: "A",
      organization: "prod-mesh",
      days: 5,
      pathLength: 0,
      issuerCertificate: root.certificate,
      issuerKey: root.privateKey,
    });
    const { authorities, rootExpires } = await make({
      clusters: ["cluster-a"],
      own: { root: root.certificate, clusters: { "cluster-a": { certificate, key: privateKey } } },
    });
    expect(program.ofType(CERTIFICATE)).toEqual([]);
    expect(await valueOf(rootExpires)).toBe(root.expires);
    const authority = authorities["cluster-a"];
    expect(authority && (await valueOf(authority.chain))).toBe(certificate + root.certificate);
    expect(authority && (await valueOf(authority.expires))).toBe(expires);
  });
});
