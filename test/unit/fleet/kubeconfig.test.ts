import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dump } from "js-yaml";
import { describe, expect, it, onTestFinished } from "vitest";
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

  it("may keep the authority in a file beside it", () => {
    const folder = mkdtempSync(join(tmpdir(), "kubeconfig-"));
    onTestFinished(() => {
      rmSync(folder, { recursive: true });
    });
    const file = join(folder, "config");
    writeFileSync(join(folder, "ca.pem"), "CA");
    writeFileSync(
      file,
      dump({
        clusters: [
          { name: "a", cluster: { server: "https://a", "certificate-authority": "ca.pem" } },
        ],
        contexts: [
          { name: "prod-a", context: { cluster: "a", user: "me" } },
          { name: "prod-b", context: { cluster: "b", user: "me" } },
        ],
        users: [{ name: "me", user: { token: "hush" } }],
      }),
    );
    expect(apiServerOf([file], "prod-a")).toEqual({
      server: "https://a",
      certificateAuthority: "Q0E=",
    });
    expect(() => apiServerOf([file], "prod-b")).toThrow(
      `its context prod-b names a cluster b that ${file} does not have`,
    );
  });

  it.each(["users: [{name: me, user: {token: hush}}", "just: text", "", "contexts: [{}]"])(
    "that is none is refused, and nothing of it is shown: %j",
    (text) => {
      const file = kubeconfigFile();
      writeFileSync(file, text);
      const error = `${file} is not a kubeconfig with contexts and clusters`;
      expect(() => apiServerOf([file], "prod-a")).toThrow(new Error(error));
    },
  );

  it("is looked for where kubectl looks", () => {
    expect(defaultKubeconfigs({ KUBECONFIG: "/a:/b" })).toEqual(["/a", "/b"]);
    expect(defaultKubeconfigs({})).toEqual([expect.stringMatching(/\/\.kube\/config$/)]);
  });
});
