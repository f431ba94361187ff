import { expect, it } from "vitest";
import { environmentProxy } from "../../../fleet/environment-proxy.ts";

const SERVER = "https://api.prod-a.example.com:6443";
const of = (noProxy: string, server = SERVER) =>
  environmentProxy(server, { HTTPS_PROXY: "http://proxy:3128", NO_PROXY: noProxy });

it.each([
  ["", SERVER],
  ["other.example.com,10.0.0.0/8", SERVER],
  ["example.org", SERVER],
  ["api.prod-a.example.com:443", SERVER],
  ["od-a.example.com", SERVER],
  ["10.0.0.0/8", "https://11.0.0.1:6443"],
  ["0.0.0.1", "https://10.0.0.1:6443"],
])("NO_PROXY=%s leaves %s to the proxy", (noProxy, server) => {
  expect(of(noProxy, server)).toBe("http://proxy:3128");
});

it.each([
  ["*", SERVER],
  ["example.com", SERVER],
  [".example.com", SERVER],
  ["*.example.com", SERVER],
  ["other, API.prod-a.example.com:6443", SERVER],
  ["10.0.0.0/8", "https://10.1.2.3:6443"],
  ["fd00::/8", "https://[fd00::7]:6443"],
  ["fd00::7", "https://[fd00::7]:6443"],
  ["[fd00::7]:6443", "https://[fd00::7]:6443"],
  ["10.1.2.3", "https://10.1.2.3"],
  ["", "https://127.0.0.1:6443"],
  ["", "https://localhost:6443"],
  ["", "https://[::1]:6443"],
])("NO_PROXY=%s reaches %s without it", (noProxy, server) => {
  expect(of(noProxy, server)).toBeUndefined();
});

it("takes small letters, and a proxy without a scheme", () => {
  expect(environmentProxy(SERVER, { https_proxy: "proxy:3128" })).toBe("http://proxy:3128");
  expect(environmentProxy(SERVER, { HTTP_PROXY: "http://proxy:3128" })).toBeUndefined();
  expect(environmentProxy("http://a.example.com", { HTTP_PROXY: "proxy:1" })).toBe(
    "http://proxy:1",
  );
});

it("takes small letters where capital ones are empty", () => {
  const proxies = { HTTPS_PROXY: "", https_proxy: "http://proxy:3128" };
  expect(environmentProxy(SERVER, proxies)).toBe("http://proxy:3128");
  expect(environmentProxy(SERVER, { ...proxies, NO_PROXY: "", no_proxy: "*" })).toBeUndefined();
});
