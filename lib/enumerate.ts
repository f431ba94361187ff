/** British: no comma before the last item. */
const LANGUAGE = "en-GB";
const conjunction = new Intl.ListFormat(LANGUAGE, { type: "conjunction" });
const disjunction = new Intl.ListFormat(LANGUAGE, { type: "disjunction" });

/** `a, b and c` */
export function allOf(items: Iterable<string>): string {
  return conjunction.format(items);
}

/** `a, b or c` */
export function oneOf(items: Iterable<string>): string {
  return disjunction.format(items);
}
