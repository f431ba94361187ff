/** Items of a list that are shown, if there are more than one beyond them. */
const SHOWN = 3;

/** The first items of a list, and how many more there are: a release may have twenty services. */
export function brief(items: readonly string[], separator = ", "): string {
  const kept = items.length > SHOWN + 1 ? items.slice(0, SHOWN) : items;
  const left = items.length - kept.length;
  return [...kept, ...(left > 0 ? [`and ${left} more`] : [])].join(separator);
}
