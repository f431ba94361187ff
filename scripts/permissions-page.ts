import { dump } from "js-yaml";
import { markdownTable } from "markdown-table";
import {
  clusterRole,
  previewRoles,
  releaseRoles,
  type ReleaseRole,
  type Right,
} from "../lib/rights.ts";

const BEGIN = "<!-- begin: generated from lib/rights.ts by npm run generate -->";
const PREVIEW = "<!-- begin: generated from lib/rights.ts, for previews -->";
const END = "<!-- end: generated -->";

const code = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(", ");

function row({ group, resources, verbs, names, for: why }: Right): string[] {
  const of = group === "" ? "" : ` (\`${group}\`)`;
  const only = names ? `, only ${code(names)}` : "";
  return [`${code(resources)}${of}${only}`, code(verbs), why];
}

function section(role: ReleaseRole): string {
  const { name, bound, rights } = role;
  return [
    `**\`${name}\`**, bound ${bound}:`,
    markdownTable([["resources", "verbs", "for"], ...rights.map(row)]),
    `\`\`\`yaml\n${dump(clusterRole(role), { lineWidth: -1, flowLevel: 3 })}\`\`\``,
  ].join("\n\n");
}

/**
 * docs/permissions.md with its roles regenerated.
 *
 * @param current the page as it is; all around the roles is kept
 */
export function permissionsPage(current: string): string {
  return withRoles(withRoles(current, BEGIN, releaseRoles), PREVIEW, previewRoles);
}

function withRoles(page: string, marker: string, roles: readonly ReleaseRole[]): string {
  const begin = page.indexOf(marker);
  const end = page.indexOf(END, begin);
  if (begin < 0 || end < begin) {
    throw new Error(`docs/permissions.md must have the lines "${marker}" and "${END}"`);
  }
  const sections = roles.map(section).join("\n\n");
  return `${page.slice(0, begin)}${marker}\n\n${sections}\n\n${page.slice(end)}`;
}
