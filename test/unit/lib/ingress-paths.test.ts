import { describe, expect, it } from "vitest";
import {
  hostObjection,
  overlap,
  pathsPattern,
  type HostShare,
  type PathMatch,
} from "../../../lib/ingress-paths.ts";

describe("paths of two services", () => {
  it.each<[PathMatch, PathMatch, boolean]>([
    [{ exact: "/api" }, { exact: "/api" }, true],
    [{ exact: "/api" }, { exact: "/api/" }, false],
    [{ exact: "/api/v1" }, { prefix: "/api" }, true],
    [{ exact: "/api" }, { prefix: "/api/" }, false],
    [{ prefix: "/api" }, { prefix: "/apiary" }, true],
    [{ prefix: "/api/" }, { prefix: "/api/v2/" }, true],
    [{ prefix: "/api/" }, { prefix: "/apiary" }, false],
    [{ regex: "/api/v[0-9]+" }, { prefix: "/api/" }, true],
    [{ regex: "/api/v[0-9]+" }, { prefix: "/apiary/" }, false],
    [{ regex: "/ap?/x" }, { prefix: "/a/" }, true],
    [{ regex: "/api|/web" }, { prefix: "/web" }, true],
    [{ regex: "/users/[0-9]+" }, { exact: "/users" }, false],
    [{ regex: "/users/[0-9]+" }, { exact: "/users/me" }, true],
    [{ regex: "/users/.*" }, { regex: "/orders/.*" }, false],
    [{ regex: "/v1/.*" }, { regex: "/v[12]/.*" }, true],
  ])("%j and %j overlap: %j", (one, other, expected) => {
    expect(overlap(one, other)).toBe(expected);
    expect(overlap(other, one)).toBe(expected);
  });

  it("are left out by a pattern for the path with its query", () => {
    const pattern = new RegExp(
      `^(?:${pathsPattern([{ exact: "/api" }, { prefix: "/api/" }, { regex: "/v[0-9]+|/w" }])})$`,
    );
    const own = ["/api", "/api?id=1", "/api/", "/api/x?y", "/v12", "/v1?x", "/w"];
    const others = ["/", "/apiary", "/apis?x", "/v1/x", "/v", "/wx"];
    expect([...own, ...others].filter((path) => pattern.test(path))).toEqual(own);
  });
});

describe("two services of one host", () => {
  const api: HostShare = { service: "shop/api", paths: [{ exact: "/api" }, { prefix: "/api/" }] };
  const web: HostShare = { service: "shop/web" };
  const seen = (own: HostShare, other: HostShare) => hostObjection(own, other)?.seen;

  it("can have paths of which none begins with another", () => {
    expect(seen(api, { service: "shop/docs", paths: [{ prefix: "/docs/" }] })).toBeUndefined();
    expect(seen(api, { service: "shop/v2", paths: [{ prefix: "/api/v2/" }] })).toBe(
      "prefix /api/ overlaps with prefix /api/v2/ of shop/v2, and Istio does not say whose rules come first",
    );
  });

  it("cannot both have all paths", () => {
    expect(hostObjection(web, { service: "shop/web2" })).toEqual({
      seen: "shop/web2 has all paths of it too",
      fix: "Give one of the two services ingressPaths, or take the host away from it.",
    });
  });

  it("can be one with some paths and one with all others, which knows of them", () => {
    const knows = { ...web, others: [{ prefix: "/api/" }, { exact: "/api" }] };
    expect(seen(api, knows)).toBeUndefined();
    expect(seen(knows, api)).toBeUndefined();
    const text =
      "shop/web has all paths of it and does not know that prefix /api/ is of shop/api: requests with a header of its matches would go astray";
    const half = { ...web, others: [{ exact: "/api" }] };
    expect(seen(api, half)).toBe(text);
    expect(hostObjection(half, api)).toEqual({
      seen: text,
      fix: "List it under ingressPathsOfOthers of shop/web, in an update before this one.",
    });
    expect(hostObjection(web, api)).toEqual({
      seen: "shop/web has all paths of it and does not know that exact /api, prefix /api/ are of shop/api: requests with a header of its matches would go astray",
      fix: "List them under ingressPathsOfOthers of shop/web, in an update before this one.",
    });
  });
});
