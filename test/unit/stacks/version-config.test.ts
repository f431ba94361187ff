import { describe, expect, it } from "vitest";
import { problemLine } from "../../../lib/problems.ts";
import { parseConfig } from "../../../stacks/config.ts";
import { releaseName } from "../../../stacks/judged.ts";
import { misplacedSecrets } from "../../../stacks/misplaced-secrets.ts";
import { wantedBy } from "../../../stacks/wanted.ts";
import { rawConfig } from "../../helpers/fixtures.ts";

const secretsKey = "0123456789abcdef0123456789abcdef";
const secrets = { password: "hunter2-secret", "password-2": "hunter3-secret" };

function read(service: object, stable: object = {}, canary: object = {}, more: object = {}) {
  const raw = rawConfig();
  const [own] = raw.services;
  const services = [
    {
      ...own,
      ...service,
      stable: { ...own?.stable, ...stable },
      canary: { ...own?.canary, ...canary },
    },
  ];
  return parseConfig({ ...raw, secrets, secretsKey, services, ...more });
}
const lines = (...of: Parameters<typeof read>) => read(...of).problems.map(problemLine);
function settingsOf(...of: Parameters<typeof read>) {
  const { settings, problems } = read(...of);
  if (!settings) throw new Error(problems.map(problemLine).join("\n"));
  return settings;
}
const podsOf = (...of: Parameters<typeof read>) => wantedBy(settingsOf(...of)).routes[0]?.pods;

describe("files and secrets of versions", () => {
  it("belong to what the version is, its own over the service's", () => {
    const pods = podsOf(
      { files: { "/etc/a": "1" }, secretEnv: { PASSWORD: "password" } },
      {},
      { secretEnv: { PASSWORD: "password-2" } },
    );
    expect(pods?.["v1"]?.files).toMatch(/^[0-9a-f]{16}$/);
    expect(pods?.["v1"]?.files).toBe(pods?.["v2"]?.files);
    expect(pods?.["v1"]?.secretEnv).not.toBe(pods?.["v2"]?.secretEnv);
    expect(pods?.["v1"]).not.toHaveProperty("secretFiles");
    expect(JSON.stringify(pods)).not.toContain("hunter");
    const changed = podsOf(
      { secretEnv: { PASSWORD: "password" } },
      {},
      {},
      { secrets: { password: "other" } },
    );
    expect(changed?.["v1"]?.secretEnv).not.toBe(pods?.["v1"]?.secretEnv);
  });

  it("make a canary with others of its own another release, and tell nothing of a secret", () => {
    const nameOf = (canary: object, more?: object) => releaseName(settingsOf({}, {}, canary, more));
    const names = [
      nameOf({}),
      nameOf({ files: { "/etc/a": "1" } }),
      nameOf({ files: { "/etc/a": "2" } }),
      nameOf({ secretEnv: { A: "password" } }),
      nameOf({ secretEnv: { A: "password" } }, { secrets: { password: "other" } }),
      nameOf({ secretFiles: { "/a": "password" } }),
    ];
    expect(new Set(names).size).toBe(names.length);
    expect(releaseName(settingsOf({ files: { "/etc/a": "1" } }))).toBe(names[0]);
    expect(names.join()).not.toContain("hunter");
  });

  it("have a key for the digests, and names that are known", () => {
    expect(lines({ secretEnv: { A: "passwort" } }, { secretFiles: { "/a": "key" } })).toEqual([
      " - services[0].secretEnv.A: must be the name of one of secrets, got \"passwort\". Set it: pulumi config set --secret --path 'secrets.passwort' (it asks for the value).",
      " - services[0].stable.secretFiles./a: must be the name of one of secrets, got \"key\". Set it: pulumi config set --secret --path 'secrets.key' (it asks for the value).",
    ]);
    // What every object of JavaScript has is no secret.
    expect(lines({ secretEnv: { A: "constructor" } })).toEqual([
      " - services[0].secretEnv.A: must be the name of one of secrets, got \"constructor\". Set it: pulumi config set --secret --path 'secrets.constructor' (it asks for the value).",
    ]);
    expect(lines({ secretEnv: { constructor: "password" } })).toEqual([]);
    const keyless = { secretsKey: "" };
    expect(lines({ files: { "/a": "" } }, {}, {}, keyless)).toEqual([]);
    expect(lines({}, {}, { secretEnv: { A: "password" } }, keyless)).toEqual([
      ' - secretsKey: must be given with secretEnv or secretFiles: by it the names of Secrets tell nothing of what is in them. Make one: pulumi config set --secret secretsKey "$(openssl rand -base64 32)"',
    ]);
  });

  it("are told without a secret in what is said of them", () => {
    const all = lines(
      {},
      {},
      {},
      { secretsKey: "hunter2", secrets: { password: "", hunter: ["hunter2"] } },
    );
    expect(all).toEqual([
      expect.stringMatching(/^ - secrets\.password: must not be empty\. /),
      expect.stringMatching(/^ - secrets\.hunter: must be text\. /),
      ' - secretsKey: must have at least 32 characters, by chance. Make one: pulumi config set --secret secretsKey "$(openssl rand -base64 32)"',
    ]);
    expect(all.join()).not.toContain("hunter2");
  });

  it.each(["etc/a", "/etc/", "/", "/etc//a", "/etc/../a", "/a b", "/a:b", `/${"a".repeat(200)}`])(
    "are at no path %j",
    (path) => {
      expect(lines({ files: { [path]: "" } })).toEqual([
        expect.stringContaining("must be the absolute path of a file, of at most 200 of"),
      ]);
    },
  );

  it("say each thing once", () => {
    const own = {
      name: "user-service",
      volumeMounts: [
        { name: "x", mountPath: "/f" },
        { name: "x", mountPath: "/f/below" },
        { name: "x", mountPath: "/fine" },
      ],
      env: [{ name: "S" }],
    };
    const all = lines(
      {
        ...{ env: { E: "1" }, files: { "/f": "", "/d": "" }, secretEnv: { S: "password" } },
        template: { spec: { volumes: [{ name: "version-files" }], containers: [own] } },
      },
      { secretEnv: { E: "password" }, secretFiles: { "/f": "password", "/d/e": "password" } },
    );
    const fix = "Give it another name, or take it out of files, secretFiles or secretEnv.";
    const owned = ", which this service's files and secrets are for";
    expect(all).toEqual([
      " - services[0].stable.secretEnv.E: must not be a variable of env too. Leave one of the two out.",
      " - services[0].stable.secretFiles./f: must not be a path of files too. Leave one of the two out.",
      " - services[0].stable.secretFiles./d/e: must not be in /d, which is a file. Choose another path.",
      ` - services[0].template.spec.volumes[0].name: must not be a volume${owned}, got "version-files". ${fix}`,
      ` - services[0].template.spec.containers[0].volumeMounts[0].mountPath: must not be the path of a file, nor below it${owned}, got "/f". ${fix}`,
      ` - services[0].template.spec.containers[0].volumeMounts[1].mountPath: must not be the path of a file, nor below it${owned}, got "/f/below". ${fix}`,
      ` - services[0].template.spec.containers[0].env[0].name: must not be a variable of secretEnv${owned}, got "S". ${fix}`,
    ]);
  });

  it("are as large as Kubernetes takes, and no larger", () => {
    const text = "x".repeat(1024 * 1024 - "_.a".length);
    expect(lines({ files: { "/a": text } })).toEqual([]);
    expect(lines({ files: { "/a": `${text}x` } })).toEqual([
      " - services[0].stable.files: must have at most 1048576 bytes together, the most that Kubernetes takes: there are 1048577. Put what is large into the image.",
      " - services[0].canary.files: must have at most 1048576 bytes together, the most that Kubernetes takes: there are 1048577. Put what is large into the image.",
    ]);
  });

  it("are where secrets belong", () => {
    expect(misplacedSecrets(["p:services", "p:secrets", "p:secretsKey"], "p")).toEqual([
      expect.objectContaining({
        path: "services",
        fix: "Put it into secrets, name it under secretEnv or secretFiles, and set the value here without --secret.",
      }),
    ]);
  });
});
