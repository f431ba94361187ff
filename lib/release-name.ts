/** Between the canaries in a release's name; no image holds it. */
export const CANARY_SEPARATOR = ", ";

/** The canaries of a release, each as `namespace/service version (image)`, by the release's name. */
export function canariesIn(release: string): readonly string[] {
  return release === "" ? [] : release.split(CANARY_SEPARATOR);
}

/**
 * Those of a release's canaries that belong to services.
 *
 * @param services as `namespace/service`. @default all
 */
export function canariesOf(release: string, services?: readonly string[]): readonly string[] {
  return canariesIn(release).filter(
    (canary) => services?.some((key) => canary.startsWith(`${key} `)) ?? true,
  );
}
