/** One thing that is wrong with what the user wrote. */
export interface Problem {
  /** Where it is, as the user would address it: `services[0].port`. */
  readonly path: string;
  /** What is there now. Left out where it may be a secret or where nothing is there. */
  readonly value?: unknown;
  /** What has to hold, as it completes "services[0].port …": `must be a whole number`. */
  readonly rule: string;
  /** What to write instead, as a sentence. */
  readonly fix: string;
}

/** Longest value shown in a message: enough to recognise it. */
const SHOWN = 80;

/** A value for people: as JSON, truncated if it is long. */
export function show(value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}

/** One line for one problem: path, rule, value, fix. */
export function problemLine({ path, value, rule, fix }: Problem): string {
  const got = value === undefined ? "" : `, got ${show(value)}`;
  return ` - ${path}: ${rule}${got}. ${fix}`;
}
