import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../stacks/config.ts";
import { describeMesh } from "../../../stacks/mesh-stack.ts";
import { misplacedSecrets } from "../../../stacks/misplaced-secrets.ts";
import { rawConfig } from "../../helpers/fixtures.ts";

const url = "https://mimir.example.com/prometheus";
const service = { namespace: "monitoring", name: "prometheus", port: 9090 };
const PEM = "-----BEGIN CERTIFICATE-----\n";

const parse = (access: object, name = "cluster-a") =>
  parseConfig({ ...rawConfig(), prometheus: { [name]: access } });
const problems = (access: object, name?: string) =>
  parse(access, name).problems.map(({ path, rule }) => `${path} ${rule}`);

describe("the key prometheus", () => {
  it.each([
    [{ url }],
    [{ url, bearerToken: "hush", headers: { "X-Scope-OrgID": "shop" } }],
    [{ url, basicAuth: { username: "me", password: "hush" } }],
    [{ url, tokenCommand: ["gcloud", "auth", "print-access-token"] }],
    [{ url, tls: { ca: PEM, certificate: PEM, key: PEM } }],
    [{ service }],
    [{ service: { ...service, path: "/prometheus" }, bearerToken: "hush" }],
  ])("takes %j", (access) => {
    expect(problems(access)).toEqual([]);
  });

  it("adds to the URL in clusters", () => {
    const { clusters, ...raw } = rawConfig();
    const more = clusters.map((cluster) => ({ ...cluster, prometheus: url }));
    const prometheus = { "cluster-a": { bearerToken: "hush" } };
    expect(parseConfig({ ...raw, clusters: more, prometheus }).problems).toEqual([]);
  });

  it.each<[object, string[]]>([
    [{ bearerToken: "hush" }, [" must say where the Prometheus is"]],
    [{ url, service }, [".service must not be given together with url"]],
    [
      { url, bearerToken: "hush", tokenCommand: ["a"] },
      [
        ".tokenCommand must not be given together with prometheus.cluster-a.bearerToken: both are the header Authorization",
      ],
    ],
    [
      { url, basicAuth: { username: "me", password: "hush" }, headers: { AUTHORIZATION: "hush" } },
      [
        ".headers.AUTHORIZATION must not be given together with prometheus.cluster-a.basicAuth: both are the header Authorization",
      ],
    ],
    [{ url, tls: { key: PEM } }, [".tls must have both certificate and key, or neither"]],
    [
      { url: "http://prometheus.example.com", tls: { ca: PEM } },
      [".tls must be given with an https URL only"],
    ],
    [{ service, tls: { ca: PEM } }, [".tls must be given with an https URL only"]],
    [{ url: "mimir" }, [".url must be an http or https URL"]],
    [{ url, tokenCommand: [] }, [".tokenCommand must list a program"]],
    [{ url, tls: { ca: "/etc/ca.pem" } }, [".tls.ca must be PEM"]],
    [{ service: { ...service, path: "a?b" } }, [".service.path must be a path"]],
  ])("says what is wrong with %j, and no secret", (access, wanted) => {
    expect(problems(access)).toEqual(wanted.map((text) => `prometheus.cluster-a${text}`));
    expect(JSON.stringify(parse(access).problems)).not.toContain("hush");
  });

  it("names the clusters that there are", () => {
    const { problems: found } = parse({ url, bearerToken: "hush" }, "cluster-z");
    expect(found).toEqual([
      {
        path: "prometheus.cluster-z",
        rule: "must be the name of a cluster",
        fix: "Name one of cluster-a, cluster-b, or: pulumi config rm --path 'prometheus.cluster-z'",
      },
    ]);
  });

  it("may hold secrets, and tells other stacks nothing of them", () => {
    expect(misplacedSecrets(["istio-canary:prometheus"], "istio-canary")).toEqual([]);
    const { settings } = parse({ url: `${url}/hush`, bearerToken: "hush" });
    if (!settings || !("certificates" in settings)) throw new Error("no settings");
    expect(settings.prometheus["cluster-a"]?.bearerToken).toBe("hush");
    expect(JSON.stringify(describeMesh(settings))).not.toContain("hush");
  });
});
