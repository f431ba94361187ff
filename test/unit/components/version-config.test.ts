import { describe, expect, it } from "vitest";
import { CanaryWorkload, type VersionArgs } from "../../../components/index.ts";
import { record } from "../../helpers/component.ts";

const config = {
  files: { "/etc/shop/config.yaml": "cache: none\n" },
  secretFiles: { "/etc/shop/key.pem": "the key" },
  secretEnv: { PASSWORD: "the password" },
  digests: { files: "f1", secretFiles: "s1", secretEnv: "e1" },
} satisfies VersionArgs["config"];

const workload = (own: VersionArgs["config"], template = {}) =>
  record(({ opts }) => {
    new CanaryWorkload(
      "work",
      {
        ...{ service: "shop", namespace: "user", cluster: "cluster-a", environment: "prod" },
        port: 8080,
        versions: [{ version: "1.16.0", image: "shop:v1", config: own }],
        template,
      },
      opts,
    );
  });

describe("what a version reads", () => {
  it("is in a ConfigMap and a Secret that are named by their content and never change", async () => {
    const program = await workload(config);
    const made = program.resources.filter(({ type }) => /:(ConfigMap|Secret)$/.test(type));
    const about = { namespace: "user", labels: { app: "shop", version: "1.16.0", env: "prod" } };
    expect(made.map(({ name, inputs }) => [name, inputs])).toEqual([
      [
        "work-1.16.0-files-f1",
        expect.objectContaining({
          metadata: { ...about, name: "shop-1-16-0-3b41f45f-f1" },
          immutable: true,
          data: { "_.etc_.shop_.config.yaml": "cache: none\n" },
        }),
      ],
      [
        expect.stringMatching(/^work-1\.16\.0-secrets-[0-9a-f]{16}$/),
        expect.objectContaining({
          metadata: {
            ...about,
            name: expect.stringMatching(/^shop-1-16-0-3b41f45f-[0-9a-f]{16}$/) as string,
          },
          immutable: true,
          // Marked, so that no state, preview or log shows it.
          stringData: {
            "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
            value: { "_.etc_.shop_.key.pem": "the key", PASSWORD: "the password" },
          },
        }),
      ],
    ]);
    for (const object of made) {
      expect(program.waitsFor(program.named("work-1.16.0"), object)).toBe(true);
      expect(program.waitsFor(object, program.named("before"))).toBe(true);
    }
  });

  it("is mounted file by file, and given by variable, beside what the user's template says", async () => {
    const program = await workload(config, {
      spec: {
        volumes: [{ name: "tmp", emptyDir: {} }],
        containers: [{ name: "shop", env: [{ name: "A", value: "1" }] }],
      },
    });
    const { metadata, spec } = program.named("work-1.16.0").inputs as {
      metadata: { annotations: object };
      spec: {
        template: {
          spec: { volumes: object[]; containers: { env: object[]; volumeMounts: object[] }[] };
        };
      };
    };
    expect(metadata.annotations).toMatchObject({
      "istio-canary/files": "f1",
      "istio-canary/secret-files": "s1",
      "istio-canary/secret-env": "e1",
    });
    const secret = expect.stringMatching(/^shop-1-16-0-3b41f45f-[0-9a-f]{16}$/) as string;
    const { volumes, containers } = spec.template.spec;
    expect(volumes).toEqual([
      { name: "version-files", configMap: { name: "shop-1-16-0-3b41f45f-f1" } },
      { name: "version-secret-files", secret: { secretName: secret } },
      { name: "tmp", emptyDir: {} },
    ]);
    expect(containers[0]?.volumeMounts).toEqual([
      {
        name: "version-files",
        mountPath: "/etc/shop/config.yaml",
        subPath: "_.etc_.shop_.config.yaml",
        readOnly: true,
      },
      {
        name: "version-secret-files",
        mountPath: "/etc/shop/key.pem",
        subPath: "_.etc_.shop_.key.pem",
        readOnly: true,
      },
    ]);
    expect(containers[0]?.env).toEqual(
      expect.arrayContaining([
        { name: "PASSWORD", valueFrom: { secretKeyRef: { name: secret, key: "PASSWORD" } } },
        { name: "A", value: "1" },
      ]),
    );
  });

  it("is another object with other content, and none without any", async () => {
    const named = async (own: VersionArgs["config"]) =>
      (await workload(own)).resources
        .filter(({ type }) => /:(ConfigMap|Secret)$/.test(type))
        .map(({ name }) => name);
    expect(await named(undefined)).toEqual([]);
    expect(await named({ digests: {} })).toEqual([]);
    const [files] = await named({ files: { "/a": "2" }, digests: { files: "f2" } });
    expect(files).toBe("work-1.16.0-files-f2");
  });
});
