import { specialSecretSig, specialSigKey } from "@pulumi/pulumi/runtime/rpc.js";
import { valueAt } from "./property-path.ts";

/** Written in place of a secret; Pulumi writes the same. */
const SECRET = "[secret]";

/** Fields of a Kubernetes Secret that hold what is secret. */
const SECRET_FIELDS = ["data", "stringData"];

/** Names of what is taken for a secret, even where nobody has marked it as one. */
const PRIVATE_NAME =
  /(password|passwd|token|secret|credentials?|(private|issuer|secret|api|access)_?key|kubeconfig|last-applied-configuration)$/i;

const PEM = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g;

/**
 * Takes out of text what must never be shown: private keys in PEM. Everything else that is secret
 * has been taken out by the engine.
 */
export function withoutKeys(text: string): string {
  return text.replace(PEM, SECRET);
}

/**
 * A property as it may be shown. The engine has replaced what is marked as secret; this also replaces
 * what is secret by its nature or by its name, since a pull request may be read by everyone.
 *
 * @param type of the resource
 * @param path of the property in it
 */
function withoutSecrets(value: unknown, type: string, path: readonly (string | number)[]): unknown {
  const isSecretField =
    type === "kubernetes:core/v1:Secret" && SECRET_FIELDS.includes(String(path[0]));
  if (isSecretField && value !== undefined) return SECRET;
  if (typeof value === "string") {
    return PRIVATE_NAME.test(String(path.at(-1))) ? SECRET : withoutKeys(value);
  }
  if (Array.isArray(value)) {
    return value.map((item, i) => withoutSecrets(item, type, [...path, i]));
  }
  if (typeof value === "object" && value !== null) {
    const fields = value as Readonly<Record<string, unknown>>;
    if (fields[specialSigKey] === specialSecretSig) return SECRET;
    // An environment variable has its name beside its value.
    const isPrivate = typeof fields["name"] === "string" && PRIVATE_NAME.test(fields["name"]);
    return Object.fromEntries(
      Object.entries(fields)
        .filter(([key]) => key !== "ciphertext")
        .map(([key, item]) => [
          key,
          isPrivate && key === "value" ? SECRET : withoutSecrets(item, type, [...path, key]),
        ]),
    );
  }
  return value;
}

/**
 * What is at a path of a resource's properties, as it may be shown: what a secret is part of, or what
 * is beside it, can make it one.
 */
export function shownAt(
  properties: unknown,
  type: string,
  path: readonly (string | number)[],
): unknown {
  const isWithinSecret = path.some((_, i) => valueAt(properties, path.slice(0, i)) === SECRET);
  if (isWithinSecret) return SECRET;
  const holder = path.slice(0, -1);
  const shown = withoutSecrets(valueAt(properties, holder), type, holder);
  return shown === SECRET ? SECRET : valueAt(shown, path.slice(-1));
}
