/** Rules that a stack may switch off, one by one, under the key `allow`. */
export const EXCEPTIONS = [
  "skip-phase",
  "change-canary",
  "change-stable",
  "change-chain",
  "retry-canary",
  "shrink-stable",
  "replace-stable",
  "upgrade-everywhere",
] as const;
export type Exception = (typeof EXCEPTIONS)[number];

/**
 * How to switch a rule off.
 *
 * @param allow what the stack has switched off already, which stays so
 */
export function exceptionFix(name: Exception, allow: readonly Exception[]): string {
  return `If you mean it: pulumi config set --path 'allow[${allow.length}]' ${name}`;
}
