/** A regular expression (RE2) that matches a text as it stands. */
export function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
