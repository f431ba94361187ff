import { CONFIG_VOLUMES } from "../components/version-config.ts";
import { isFields } from "../lib/pod-template.ts";
import type { Problem } from "../lib/problems.ts";
import { fileKey, MAX_CONFIG_BYTES } from "../lib/version-config.ts";
import type { Service } from "./schema.ts";
import { configSaid } from "./version-config.ts";

/** A place where the configuration says what a version reads, and what is said there. */
interface Place {
  readonly path: string;
  readonly said: Pick<Service["stable"], "env" | "files" | "secretFiles" | "secretEnv">;
}

type Texts = Readonly<Record<string, string>>;

/** All that is said for a version. */
interface AllSaid {
  readonly env: Texts;
  readonly files: Texts;
  readonly secretFiles: Texts;
  readonly secretEnv: Texts;
}

/** Names of secrets, each with where it is used. */
function references({ path, said }: Place) {
  return (["secretEnv", "secretFiles"] as const).flatMap((part) =>
    Object.entries(said[part] ?? {}).map(([key, name]) => ({
      path: `${path}.${part}.${key}`,
      name,
    })),
  );
}

function elements(of: unknown, name: string): readonly Readonly<Record<string, unknown>>[] {
  const list = isFields(of) ? of[name] : undefined;
  return Array.isArray(list) ? list.filter(isFields) : [];
}

/** What the user's template has that would take the place of what a version reads. */
function templateProblems({ name, template }: Service, i: number, all: AllSaid) {
  const spec = template?.["spec"];
  const at = `services[${i}].template.spec`;
  const rule = (what: string) =>
    `must not be ${what}, which this service's files and secrets are for`;
  const fix = "Give it another name, or take it out of files, secretFiles or secretEnv.";
  const volumes = elements(spec, "volumes").flatMap(({ name: volume }, j) =>
    Object.values<unknown>(CONFIG_VOLUMES).includes(volume)
      ? [{ path: `${at}.volumes[${j}].name`, value: volume, rule: rule("a volume"), fix }]
      : [],
  );
  const own = elements(spec, "containers").flatMap((container, j) =>
    container["name"] === name ? [{ container, path: `${at}.containers[${j}]` }] : [],
  );
  const paths = Object.keys({ ...all.files, ...all.secretFiles });
  return [
    ...volumes,
    ...own.flatMap(({ container, path }) => [
      ...elements(container, "volumeMounts").flatMap(({ mountPath }, j) =>
        typeof mountPath === "string" &&
        paths.some((file) => mountPath === file || mountPath.startsWith(`${file}/`))
          ? [
              {
                path: `${path}.volumeMounts[${j}].mountPath`,
                value: mountPath,
                rule: rule("the path of a file, nor below it"),
                fix,
              },
            ]
          : [],
      ),
      ...elements(container, "env").flatMap(({ name: variable }, j) =>
        typeof variable === "string" && variable in all.secretEnv
          ? [
              {
                path: `${path}.env[${j}].name`,
                value: variable,
                rule: rule("a variable of secretEnv"),
                fix,
              },
            ]
          : [],
      ),
    ]),
  ];
}

/** What is said of one place twice, by all that holds for a version. */
function clashes(path: string, all: AllSaid): Problem[] {
  const paths = Object.keys({ ...all.files, ...all.secretFiles });
  return [
    ...Object.keys(all.secretEnv).flatMap((variable) =>
      Object.hasOwn(all.env, variable)
        ? [
            {
              path: `${path}.secretEnv.${variable}`,
              rule: "must not be a variable of env too",
              fix: "Leave one of the two out.",
            },
          ]
        : [],
    ),
    ...Object.keys(all.secretFiles).flatMap((file) =>
      file in all.files
        ? [
            {
              path: `${path}.secretFiles.${file}`,
              rule: "must not be a path of files too",
              fix: "Leave one of the two out.",
            },
          ]
        : [],
    ),
    ...paths.flatMap((file) => {
      const within = paths.find((other) => file.startsWith(`${other}/`));
      return within === undefined
        ? []
        : [
            {
              path: `${path}.${file in all.files ? "files" : "secretFiles"}.${file}`,
              rule: `must not be in ${within}, which is a file`,
              fix: "Choose another path.",
            },
          ];
    }),
  ];
}

function tooLarge(path: string, what: string, data: Readonly<Record<string, string>>): Problem[] {
  const bytes = Object.entries(data)
    .flat()
    .reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  return bytes <= MAX_CONFIG_BYTES
    ? []
    : [
        {
          path: `${path}.${what}`,
          rule: `must have at most ${MAX_CONFIG_BYTES} bytes together, the most that Kubernetes takes: there are ${bytes}`,
          fix: "Put what is large into the image.",
        },
      ];
}

/**
 * Rules for what versions read: files and secrets.
 *
 * @param secrets by name. @default they are not valid by themselves
 * @param hasKey whether there is a key for their digests
 */
export function versionConfigProblems(
  services: readonly Service[],
  secrets: Readonly<Record<string, string>> | undefined,
  hasKey: boolean,
): Problem[] {
  const uses = services.some((service) =>
    [service, service.stable, service.canary].some((said) =>
      [said?.secretEnv, said?.secretFiles].some((each) => Object.keys(each ?? {}).length > 0),
    ),
  );
  const valueOf = (name: string) =>
    secrets && Object.hasOwn(secrets, name) ? (secrets[name] ?? "") : "";
  return [
    ...(uses && !hasKey
      ? [
          {
            path: "secretsKey",
            rule: "must be given with secretEnv or secretFiles: by it the names of Secrets tell nothing of what is in them",
            fix: 'Make one: pulumi config set --secret secretsKey "$(openssl rand -base64 32)"',
          },
        ]
      : []),
    ...services.flatMap((service, i) => {
      const path = `services[${i}]`;
      const versions = (["stable", "canary"] as const).flatMap((role): Place[] => {
        const said = service[role];
        return said ? [{ path: `${path}.${role}`, said }] : [];
      });
      const places = [{ path, said: service }, ...versions];
      const everywhere = versions.map(({ path: at, said }) => ({
        path: at,
        all: { env: { ...service.env, ...said.env }, ...configSaid(service, said) },
      }));
      const union = everywhere.reduce<AllSaid>(
        (one, { all }) => ({
          env: { ...one.env, ...all.env },
          files: { ...one.files, ...all.files },
          secretFiles: { ...one.secretFiles, ...all.secretFiles },
          secretEnv: { ...one.secretEnv, ...all.secretEnv },
        }),
        { env: {}, files: {}, secretFiles: {}, secretEnv: {} },
      );
      return [
        ...(secrets === undefined
          ? []
          : places.flatMap(references).flatMap(({ path: at, name }) =>
              Object.hasOwn(secrets, name)
                ? []
                : [
                    {
                      path: at,
                      value: name,
                      rule: "must be the name of one of secrets",
                      fix: `Set it: pulumi config set --secret --path 'secrets.${name}' (it asks for the value).`,
                    },
                  ],
            )),
        ...everywhere.flatMap(({ path: at, all }) => clashes(at, all)),
        ...everywhere.flatMap(({ path: at, all }) => {
          const keyed = (files: Texts) =>
            Object.fromEntries(Object.entries(files).map(([file, text]) => [fileKey(file), text]));
          const values = (names: Texts) =>
            Object.fromEntries(Object.entries(names).map(([key, name]) => [key, valueOf(name)]));
          return [
            ...tooLarge(at, "files", keyed(all.files)),
            ...tooLarge(at, "secretFiles", {
              ...keyed(values(all.secretFiles)),
              ...values(all.secretEnv),
            }),
          ];
        }),
        ...templateProblems(service, i, union),
      ];
    }),
  ];
}
