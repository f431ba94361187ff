import { describe, expect, it } from "vitest";
import { newImages, withImages, type NewImage } from "../../../release/new-images.ts";

const IMAGE = "registry.example.com/user-service";
const DIGEST = `sha256:${"0".repeat(64)}`;

const service = (name: string, more: Readonly<Record<string, unknown>> = {}) => ({
  name,
  namespace: "user",
  port: 8080,
  stable: { version: "v1", image: `${IMAGE}:v1`, replicas: 3, env: { CACHE: "redis" } },
  ...more,
});
const withCanary = service("user-service", {
  canary: { version: "v2", image: `${IMAGE}:v2`, replicas: 2 },
});
const result = (services: readonly unknown[], ...images: NewImage[]) => {
  const { services: text, changed } = withImages(JSON.stringify(services), images);
  return { services: JSON.parse(text) as unknown, changed };
};
const refused = (services: readonly unknown[], ...images: NewImage[]) => {
  try {
    result(services, ...images);
  } catch (error) {
    return (error as Error).message.split("\n");
  }
  return [];
};

describe("the options", () => {
  it("name a service and its image, which may have a port, a tag and a digest, and its version", () => {
    expect(
      newImages(
        [`user-service=registry:5000/a:v3@${DIGEST}`, "shop/front=registry/b:v2"],
        ["user-service=3.0"],
      ),
    ).toEqual([
      { service: "user-service", image: `registry:5000/a:v3@${DIGEST}`, version: "3.0" },
      { service: "shop/front", image: "registry/b:v2", version: undefined },
    ]);
  });

  it.each([
    [
      [IMAGE],
      [],
      `--image ${IMAGE}: write the service and what it gets, --image user-service=registry.example.com/user-service:v3.`,
    ],
    [
      ["a=x:v1"],
      ["a="],
      "--version a=: write the service and what it gets, --version user-service=v3.",
    ],
    [["a=x:v1", "a=x:v2"], [], "--image a=…: is there twice."],
    [["a=x:v1"], ["a=v2", "a=v3"], "--version a=…: is there twice."],
    [["a=x:v1"], ["b=v2"], "--version b=…: there is no --image b=…, whose version it could be."],
  ])("%j %j are refused", (images, versions, text) => {
    expect(() => newImages(images, versions)).toThrow(new Error(text));
  });
});

describe("a new image", () => {
  it("is the canary, named by its tag, and has what stable has otherwise", () => {
    expect(
      result([service("user-service")], { service: "user-service", image: `${IMAGE}:v3` }),
    ).toEqual({
      services: [
        service("user-service", {
          canary: { version: "v3", image: `${IMAGE}:v3`, replicas: 3, env: { CACHE: "redis" } },
        }),
      ],
      changed: [
        { key: "user/user-service", name: "user-service", namespace: "user", version: "v3" },
      ],
    });
  });

  it("takes the place of the canary that is there, whose other keys stay", () => {
    const { services, changed } = result([withCanary, service("other")], {
      ...{ service: "user/user-service", image: `${IMAGE}:1.16.0@${DIGEST}` },
    });
    expect(services).toEqual([
      service("user-service", {
        canary: { version: "1.16.0", image: `${IMAGE}:1.16.0@${DIGEST}`, replicas: 2 },
      }),
      service("other"),
    ]);
    expect(changed).toMatchObject([{ version: "1.16.0", leaves: "v2" }]);
  });

  it("changes nothing where it is the canary's already, whatever its version is named", () => {
    expect(result([withCanary], { service: "user-service", image: `${IMAGE}:v2` })).toEqual({
      services: [withCanary],
      changed: [],
    });
    const named = service("user-service", { canary: { version: "blue", image: `${IMAGE}:v2` } });
    expect(result([named], { service: "user-service", image: `${IMAGE}:v2` }).changed).toEqual([]);
  });

  it("has the version that is given", () => {
    const { changed } = result([withCanary], {
      ...{ service: "user-service", image: `${IMAGE}@${DIGEST}`, version: "v3" },
    });
    expect(changed).toMatchObject([{ version: "v3", leaves: "v2" }]);
  });

  it("is refused where it makes no canary, and all that are so are told", () => {
    const services = [
      withCanary,
      service("front"),
      service("back"),
      { ...service("front"), namespace: "shop" },
      service("theirs", { workload: "existing" }),
    ];
    expect(
      refused(
        services,
        { service: "basket", image: `${IMAGE}:v3` },
        { service: "front", image: `${IMAGE}:v3` },
        { service: "theirs", image: `${IMAGE}:v3` },
        { service: "user-service", image: `${IMAGE}:v1` },
        { service: "user/front", image: `${IMAGE}@${DIGEST}` },
        { service: "shop/front", image: `${IMAGE}:v3-` },
        { service: "back", image: "registry.example.com/another:v1" },
      ),
    ).toEqual([
      "No release can begin with these images:",
      " - basket is no service of the stack, which has user/user-service, user/front, user/back, shop/front and user/theirs.",
      " - front is the name of user/front and shop/front: write its namespace too, --image user/front=…",
      " - user/theirs: its pods are made by others (workload: existing), who start those of the new version. Then name the version in services[].canary.",
      ` - user/user-service: stable v1 has the image ${IMAGE}:v1 already, so there is nothing to release.`,
      ` - user/front: the image ${IMAGE}@${DIGEST} has no tag, by which the version would be named: name it by --version front=…, for example v3.`,
      " - shop/front: v3- is no value of a label, by which the version would be named: name it by --version front=…, for example v3.",
      ` - user/back: the version would be named v1, as stable is, which has the image ${IMAGE}:v1: name it by --version back=…`,
    ]);
  });

  it("is refused where another one is the same service's", () => {
    const [, text] = refused(
      [withCanary],
      { service: "user-service", image: `${IMAGE}:v3` },
      { service: "user/user-service", image: `${IMAGE}:v4` },
    );
    expect(text).toBe(" - user/user-service is named twice.");
  });
});
