import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect } from "../../standins/kubernetes-provider/kubeconfig.ts";

const text = `
apiVersion: v1
kind: Config
current-context: a
contexts:
  - {name: a, context: {cluster: one, user: token}}
  - {name: b, context: {cluster: two, user: files, namespace: team}}
  - {name: c, context: {cluster: two, user: gone}}
clusters:
  - {name: one, cluster: {server: "https://one.test:6443", insecure-skip-tls-verify: true}}
  - {name: two, cluster: {server: "https://two.test:6443/prefix", certificate-authority-data: ${btoa("CA")}}}
users:
  - {name: token, user: {token: t0ken}}
  - {name: files, user: {client-certificate: CERT, client-key-data: ${btoa("KEY")}}}
`;
let folder: string;
let path: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "kubeconfig-"));
  path = join(folder, "config");
  await writeFile(path, text.replace("CERT", join(folder, "cert.pem")), { mode: 0o600 });
  await writeFile(join(folder, "cert.pem"), "CERT");
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

test("the current context is used where none is given", async () => {
  const connection = await connect({ kubeconfig: path });
  expect(connection).toMatchObject({
    context: "a",
    source: { path },
    headers: { authorization: "Bearer t0ken" },
    tls: { rejectUnauthorized: false },
  });
  expect(connection.server.href).toBe("https://one.test:6443/");
});

test("certificates are read from the kubeconfig, or from files", async () => {
  const { tls, namespace } = await connect({ kubeconfig: path, context: "b" });
  expect(namespace).toBe("team");
  expect(String(tls.ca)).toBe("CA");
  expect(String(tls.cert)).toBe("CERT");
  expect(String(tls.key)).toBe("KEY");
  expect(tls.rejectUnauthorized).toBe(true);
});

test("a kubeconfig may be given as text", async () => {
  expect(await connect({ kubeconfig: text })).toMatchObject({ source: { text }, context: "a" });
});

// parseKubeconfigString in provider/pkg/provider/util.go of the official provider: os.Stat, or else it is the content.
test("a list of paths, as kubectl takes it, is no path", async () => {
  const error = "neither the path of one file that is there, nor the content of one";
  await expect(connect({ kubeconfig: `${path}:${path}` })).rejects.toThrow(error);
});

// There clientcmd.Load gets the content alone, without the place that kubectl resolves paths by.
test("a file that is named by a path from the kubeconfig's folder is not found", async () => {
  const relative = join(folder, "relative");
  await writeFile(relative, text.replace("CERT", "cert.pem"), { mode: 0o600 });
  await expect(connect({ kubeconfig: relative, context: "b" })).rejects.toThrow("ENOENT");
});

test("a context that is missing is named, with those there are", async () => {
  await expect(connect({ kubeconfig: path, context: "z" })).rejects.toThrow(
    `${path} has no "z" among its contexts: a, b, c`,
  );
  await expect(connect({ kubeconfig: path, context: "c" })).rejects.toThrow(
    `${path} has no "gone" among its users: token, files`,
  );
});

test("a file that is not a kubeconfig is refused", async () => {
  await expect(connect({ kubeconfig: join(folder, "cert.pem") })).rejects.toThrow(
    "is not a kubeconfig",
  );
});
