import { describe, expect, it } from "vitest";
import { apiServerOf, defaultKubeconfigs } from "../../../fleet/kubeconfig.ts";
import { kubeconfigFile } from "../../helpers/fixtures.ts";

describe("a kubeconfig", () => {
  it("tells a context's server and the authority behind its certificate", () => {
    expect(apiServerOf([kubeconfigFile()], "prod-b")).toEqual({
      server: "https://b.example.com:6443",
      certificateAuthority: "Y2E=",
    });
  });

  it("is searched in the order of the files", () => {
    const files = [kubeconfigFile(["a"]), kubeconfigFile(["b"])];
    expect(apiServerOf(files, "prod-b").server).toBe("https://b.example.com:6443");
  });

  it("says which contexts there are when it does not have the one", () => {
    const file = kubeconfigFile(["a"]);
    expect(() => apiServerOf([file], "prod-x")).toThrow(
      `no such context in ${file}, only prod-a, local`,
    );
  });

  it("is looked for where kubectl looks", () => {
    expect(defaultKubeconfigs({ KUBECONFIG: "/a:/b" })).toEqual(["/a", "/b"]);
    expect(defaultKubeconfigs({})).toEqual([expect.stringMatching(/\/\.kube\/config$/)]);
  });
});
