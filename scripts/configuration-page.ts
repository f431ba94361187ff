import { dump } from "js-yaml";
import { anchor } from "../lib/anchor.ts";
import { table } from "../preview/markup.ts";
import { schema } from "../stacks/schema.ts";
import { configKeys, defaultText, flatten, type ConfigKey } from "./config-keys.ts";

const HEAD = `<!-- Generated from stacks/schema.ts by \`npm run generate\`: change the texts there. -->

# Configuration

A stack is configured in its file, \`Pulumi.<stack>.yaml\`; [Pulumi.prod.yaml](../Pulumi.prod.yaml) is one to start from. Every key begins
with the project's name there, \`istio-canary:weight\`, and goes without it in commands:

\`\`\`sh
pulumi config set weight 10
pulumi config set --path 'services[0].timeout' 5s
pulumi config set --path certificates.clusters.cluster-a.key --secret < cluster-a-key.pem
\`\`\`

- **Everything is checked before anything changes.** The preview stops with one error that lists every problem of form at once: where
  it is, what has to hold, what is there, and what to write instead. What depends on these values follows once they are right.
- **Unknown keys are errors**, at every level, and so are keys whose namespace is almost \`istio-canary\`. The error names the key that was
  likely meant.
- **Editors know the keys** through [schema/stack.schema.json](../schema/stack.schema.json), which the first line of Pulumi.prod.yaml names
  for every editor with the YAML language server. Copy that line into the files of your own stacks.
- **Secrets** are what is marked _may be secret_ below. Write the others in plain text: the program does not hide them in previews.
- **\`pulumi config set weight 10\` writes text**, \`"10"\`, and with \`--path\` a number, true or false for what looks like one. Each is read
  as it is meant.

In paths \`[]\` stands for each element of a list, and \`<cluster>\` for a key that you choose. The texts on this page, in
[Pulumi.yaml](../Pulumi.yaml) and in the editor's schema come from [stacks/schema.ts](../stacks/schema.ts), which also checks the values;
\`npm run generate\` writes all three.
`;

const code = (text: string) => `\`${text}\``;
const sentence = (text: string) =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith(".") ? "" : "."}`;

function overview(keys: readonly ConfigKey[]): string {
  const rows = keys.map((key) => [
    `[${code(key.path)}](#${anchor(key.path)})`,
    key.type,
    defaultText(key, code).replaceAll("\n", " "),
  ]);
  return table(["key", "type", "default"], rows).join("\n");
}

/** The example, as it stands in a stack's file: with the keys it is in. */
function example(key: ConfigKey, value: unknown): string {
  const [top = "", ...parts] = key.path.split(".");
  const [name, list] = [top.replace("[]", ""), top.endsWith("[]")];
  const inner = parts.reduceRight<unknown>((within, part) => {
    const plain = part.startsWith("<") ? (placeholders[part] ?? part) : part.replace("[]", "");
    return { [plain]: part.endsWith("[]") ? [within] : within };
  }, value);
  const config = { [`istio-canary:${name}`]: list ? [inner] : inner };
  return `\`\`\`yaml\n${dump({ config }, { lineWidth: -1, noRefs: true })}\`\`\``;
}

/** Keys of maps, as examples name them. */
const placeholders: Readonly<Record<string, string>> = { "<cluster>": "cluster-a" };

function section(key: ConfigKey, depth: number): string {
  const { description, effect, examples = [], secret, sameAs } = key.meta;
  const [shown] = examples;
  return [
    `${"#".repeat(depth)} ${code(key.path)}`,
    sameAs === undefined
      ? description
      : `${description} The keys within it are those of [${code(sameAs)}](#${anchor(sameAs)}).`,
    [
      `- **Type:** ${key.type}${secret === true ? ", may be secret" : ""}`,
      `- **Default:** ${key.required ? "none, the key is required" : defaultText(key, code)}`,
      ...(key.rules.length === 0 ? [] : [`- **Constraint:** ${key.rules.map(sentence).join(" ")}`]),
      ...(effect === undefined ? [] : [`- **When changed:** ${effect}`]),
    ].join("\n"),
    ...(shown === undefined ? [] : ["For example:", example(key, shown)]),
  ].join("\n\n");
}

/** docs/configuration.md, before it is formatted. */
export function configurationPage(): string {
  const tops = configKeys(schema);
  return [
    HEAD,
    "## All keys",
    overview(tops.flatMap(flatten)),
    ...tops.flatMap((top) => [
      section(top, 2),
      ...top.children.flatMap(flatten).map((key) => section(key, 3)),
    ]),
  ].join("\n\n");
}
