import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { dump } from "js-yaml";
import { describe, expect, it, onTestFinished } from "vitest";
import { ClusterKubeConfig } from "../../../fleet/cluster-kubeconfig.ts";
import { apiServerOf, defaultKubeconfigs, listedKubeconfig } from "../../../fleet/kubeconfig.ts";
import { kubeconfigText } from "../../helpers/fake-api-server.ts";
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

  it("may keep the authority in a file, by an absolute path", () => {
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
          {
            name: "a",
            cluster: { server: "https://a", "certificate-authority": join(folder, "ca.pem") },
          },
          { name: "c", cluster: { server: "https://c", "certificate-authority": "ca.pem" } },
        ],
        contexts: [
          { name: "prod-a", context: { cluster: "a", user: "me" } },
          { name: "prod-b", context: { cluster: "b", user: "me" } },
          { name: "prod-c", context: { cluster: "c", user: "them" } },
        ],
        users: [
          { name: "me", user: { token: "hush" } },
          { name: "them", user: { exec: { command: "bin/token" }, "client-key": "key.pem" } },
        ],
      }),
    );
    expect(apiServerOf([file], "prod-a")).toEqual({
      server: "https://a",
      certificateAuthority: "Q0E=",
    });
    expect(() => apiServerOf([file], "prod-b")).toThrow(
      `its context prod-b names a cluster b that ${file} does not have`,
    );
    expect(() => apiServerOf([file], "prod-c")).toThrow(
      new Error(
        `${file} has paths that start from its own folder, where Pulumi's Kubernetes provider does not look: ca.pem, key.pem, bin/token. Make them absolute, or have kubectl put the content there: kubectl config view --flatten --kubeconfig ${file}`,
      ),
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

  it("that cannot be parsed is in no error of a client's either", () => {
    const text = "users: [{name: me, user: {token: hush}}\n";
    const error = new Error(
      "the kubeconfig in the configuration is not a kubeconfig with contexts and clusters",
    );
    expect(() => new ClusterKubeConfig("prod-a", text)).toThrow(error);
  });

  it.each(["10.0.0.1:6443", "api.example.com:6443", "ftp://a", "https://a:b"])(
    "must have a whole URL for its server, and not %s, which istiods of other clusters get",
    (server) => {
      const file = kubeconfigFile();
      writeFileSync(file, kubeconfigText({ "prod-a": server }));
      const error = `its cluster prod-a has the server ${server}, which is no URL. Write it whole, for example: https://10.0.0.1:6443`;
      expect(() => apiServerOf([file], "prod-a")).toThrow(new Error(error));
      expect(() => new ClusterKubeConfig("prod-a", file)).toThrow(new Error(error));
    },
  );

  it("that is one of a list may be missing, and must have its contexts' users", () => {
    const [file, gone] = [kubeconfigFile(), join(tmpdir(), "no-such-kubeconfig")];
    writeFileSync(
      file,
      kubeconfigText({ "prod-a": "https://a" }).replace("name: me", "name: them"),
    );
    expect(() => apiServerOf([gone, file], "prod-a")).toThrow(
      `its context prod-a names a user me that ${file} does not have, and Pulumi's Kubernetes provider reads no other file for it`,
    );
    expect(() => apiServerOf([gone], "prod-a")).toThrow("ENOENT");
  });

  it("of a list is the first that has the context", () => {
    const [a, b] = [kubeconfigFile(["a"]), kubeconfigFile(["a", "b"])];
    const gone = join(tmpdir(), "no-such-kubeconfig");
    const env = { KUBECONFIG: [gone, a, b].join(delimiter) };
    expect(listedKubeconfig("prod-a", env)).toBe(a);
    expect(listedKubeconfig("prod-b", env)).toBe(b);
    expect(listedKubeconfig("prod-x", env)).toBeUndefined();
    expect(listedKubeconfig("prod-a", { KUBECONFIG: `${a}${delimiter}` })).toBe(a);
  });

  it("of a list is the first with a current context where none is named", () => {
    const [a, b] = [kubeconfigFile(["a"]), kubeconfigFile(["b"])];
    writeFileSync(b, kubeconfigText({ current: "https://b" }));
    expect(listedKubeconfig(undefined, { KUBECONFIG: [a, b].join(delimiter) })).toBe(b);
  });

  it.each([{}, { KUBECONFIG: "" }, { KUBECONFIG: "/home/me/.kube/config" }])(
    "is no list: %j",
    (env) => {
      expect(listedKubeconfig("prod-a", env)).toBeUndefined();
    },
  );

  it("is looked for where kubectl looks", () => {
    expect(defaultKubeconfigs({ KUBECONFIG: "/a:/b" })).toEqual(["/a", "/b"]);
    expect(defaultKubeconfigs({})).toEqual([expect.stringMatching(/\/\.kube\/config$/)]);
  });
});
