import { load } from "js-yaml";
import { describe, expect, it } from "vitest";
import { readerKubeconfig, readerOf, type ApiServer } from "../../../lib/reader-kubeconfig.ts";

const pem = (body: string, end = "\n") =>
  `-----BEGIN CERTIFICATE-----${end}${body}${end}-----END CERTIFICATE-----${end}`;
const base64 = (text: string) => Buffer.from(text).toString("base64");
const server = "https://b.example.com:6443";

/** The authority in the kubeconfig of an account to which its cluster tells the authority `cluster`. */
function authority(
  apiServer: Omit<ApiServer, "server">,
  told: string | undefined = base64(pem("cluster")),
) {
  const { certificateAuthority } = readerOf(
    "cluster-b",
    { server, ...apiServer },
    { token: "a token", certificateAuthority: told },
  ).apiServer;
  return certificateAuthority === undefined
    ? undefined
    : Buffer.from(certificateAuthority, "base64").toString();
}

describe("the authority that a reader trusts", () => {
  it("is the kubeconfig's, or none, where nothing else is said", () => {
    expect(authority({ certificateAuthority: base64("as it is") })).toBe("as it is");
    expect(authority({})).toBeUndefined();
  });

  it("is the cluster's own alone, or beside the kubeconfig's", () => {
    const given = { certificateAuthority: base64(pem("proxy")) };
    expect(authority({ ...given, trustsAccounts: "only" })).toBe(pem("cluster"));
    expect(authority({ ...given, trustsAccounts: "also" })).toBe(
      `${pem("proxy").trim()}\n${pem("cluster").trim()}\n`,
    );
    expect(authority({ trustsAccounts: "only" })).toBe(pem("cluster"));
  });

  it("stays as it is where the kubeconfig has the cluster's own already, however it is written", () => {
    const both = pem("cluster", "\r\n") + pem("other");
    expect(authority({ certificateAuthority: base64(both), trustsAccounts: "also" })).toBe(both);
  });

  it("stays as it is where the cluster tells its accounts none", () => {
    const given = { certificateAuthority: base64(pem("proxy")), trustsAccounts: "also" } as const;
    const { apiServer } = readerOf(
      "cluster-b",
      { server, ...given },
      { token: "a token", certificateAuthority: undefined },
    );
    expect(apiServer.certificateAuthority).toBe(given.certificateAuthority);
  });
});

describe("a reader's kubeconfig", () => {
  it("names the server as its certificate does", () => {
    const apiServer = { server, tlsServerName: "kubernetes.default.svc" };
    expect(
      load(readerKubeconfig({ cluster: "cluster-b", apiServer, token: "a token" })),
    ).toMatchObject({
      clusters: [
        { name: "cluster-b", cluster: { server, "tls-server-name": "kubernetes.default.svc" } },
      ],
    });
  });
});
