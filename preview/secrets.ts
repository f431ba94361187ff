/** Written in place of a secret; Pulumi writes the same. */
const SECRET = "[secret]";

/** Pulumi marks a value that is no plain JSON by this key; the value beside it says what it is. */
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270";

/** Fields of a Kubernetes Secret that hold what is secret. */
const SECRET_FIELDS = ["data", "stringData"];

/** Keys below which text is taken for a secret, even where nobody has marked it as one. */
const PRIVATE_KEY_NAME =
  /(password|passwd|token|(private|issuer|secret|api|access)_?key|kubeconfig)$/i;

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
 * what is secret by its nature, since a pull request may be read by everyone.
 *
 * @param type of the resource
 * @param path of the property in it
 */
export function withoutSecrets(
  value: unknown,
  type: string,
  path: readonly (string | number)[],
): unknown {
  const isSecretField =
    type === "kubernetes:core/v1:Secret" && SECRET_FIELDS.includes(String(path[0]));
  if (isSecretField && value !== undefined) return SECRET;
  if (typeof value === "string") {
    return PRIVATE_KEY_NAME.test(String(path.at(-1))) ? SECRET : withoutKeys(value);
  }
  if (Array.isArray(value)) {
    return value.map((item, i) => withoutSecrets(item, type, [...path, i]));
  }
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value);
    if (entries.some(([key, mark]) => key === SIGNATURE && mark === SECRET_SIGNATURE)) {
      return SECRET;
    }
    return Object.fromEntries(
      entries
        .filter(([key]) => key !== "ciphertext")
        .map(([key, item]) => [key, withoutSecrets(item, type, [...path, key])]),
    );
  }
  return value;
}
