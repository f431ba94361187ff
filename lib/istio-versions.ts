/**
 * Minor versions of Istio that this program works with. Each was tried on real clusters: what the program asks of Envoys
 * and of istiod differs from version to version.
 */
export const ISTIO_VERSIONS: readonly string[] = ["1.31"];

/** Whether a full version, as `1.31.2`, is one of these. */
export function isSupportedIstio(version: string): boolean {
  return ISTIO_VERSIONS.some((minor) => version.startsWith(`${minor}.`));
}
