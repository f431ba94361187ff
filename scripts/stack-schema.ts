import * as z from "zod";
import { NEEDED_MESH_KEYS, schema } from "../stacks/schema.ts";
import { bare } from "../stacks/schema/structure.ts";
import { docKeywords, type TopKeyMeta } from "../stacks/schema/values.ts";

type Json = z.core.JSONSchema.BaseSchema;

/** Name of the project, which stands before its keys. */
const PROJECT = "istio-canary";

/** What Pulumi writes for a value that it has encrypted. */
const SECURE = {
  type: "object",
  description: "An encrypted value, as `pulumi config set --secret` writes it.",
  properties: { secure: { type: "string" } },
  required: ["secure"],
  additionalProperties: false,
} as const satisfies Json;

/** Turns what `.meta()` says into what JSON Schema knows. */
function finish(json: Json & Partial<TopKeyMeta>, type: z.core.$ZodTypes): void {
  const { effect, secret, shorthand } = json;
  const { def } = type._zod;
  // zod takes these away where a value is preprocessed; here they are what is written.
  const examples = z.globalRegistry.get(type)?.["examples"];
  if (Array.isArray(examples)) {
    json.examples = examples;
  }
  if (def.type === "default") {
    json.default = def.defaultValue;
  }
  for (const keyword of docKeywords) {
    Reflect.deleteProperty(json, keyword);
  }
  if (effect !== undefined) {
    json.description = `${json.description ?? ""}\n\nWhen changed: ${effect}`;
  }
  if (def.type === "pipe" && bare(type)._zod.def.type === "string") {
    Object.assign(json, { type: ["string", "number", "boolean"] });
  }
  if (shorthand !== undefined) {
    const map = { ...json };
    for (const keyword of Object.keys(map)) Reflect.deleteProperty(json, keyword);
    json.anyOf = [{ type: "string" }, map];
  }
  if (secret === true) {
    Reflect.deleteProperty(json, "type");
    json.anyOf = [{ type: "string" }, SECURE];
  }
}

/** Numbers at the top may also be text: so `pulumi config set` writes them. */
function orText(json: Json): Json {
  return json.type === "integer"
    ? Object.assign({ ...json }, { type: ["integer", "string"], pattern: "^\\d+$" })
    : json;
}

/** JSON Schema (draft 7, which all editors know) of a stack's file, `Pulumi.<stack>.yaml`. */
export function stackSchema(): Json {
  const { properties = {}, required = [] } = z.toJSONSchema(z.strictObject(schema), {
    target: "draft-07",
    io: "input",
    override: ({ jsonSchema, zodSchema }) => {
      finish(jsonSchema, zodSchema);
    },
  });
  const name = (key: string) => `${PROJECT}:${key}`;
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: `Stack of ${PROJECT}`,
    description: `A stack's file, Pulumi.<stack>.yaml. Generated from stacks/schema.ts by \`npm run generate\`.`,
    type: "object",
    required: ["config"],
    additionalProperties: false,
    properties: {
      secretsprovider: { type: "string", description: "What encrypts the stack's secrets." },
      encryptedkey: {
        type: "string",
        description: "The encrypted data key of a cloud's secrets provider. Written by Pulumi.",
      },
      encryptionsalt: {
        type: "string",
        description: "Salt of the passphrase that encrypts secrets. Written by Pulumi.",
      },
      environment: { description: "Pulumi ESC environments whose values are merged into config." },
      config: {
        type: "object",
        description:
          "The stack's configuration. Keys of other namespaces are Pulumi's or providers'.",
        required: required.map(name),
        anyOf: [{ required: NEEDED_MESH_KEYS.map(name) }, { required: [name("meshStack")] }],
        properties: Object.fromEntries(
          Object.entries(properties).map(([key, json]) => [name(key), orText(json as Json)]),
        ),
        patternProperties: { [`^(?!${PROJECT}:)[^:]+:`]: {} },
        additionalProperties: false,
      },
    },
  };
}
