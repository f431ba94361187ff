import { dump } from "js-yaml";
import { markdownTable } from "markdown-table";
import { clusterRole, releaseRoles, type ReleaseRole, type Right } from "../lib/rights.ts";

const BEGIN = "<!-- begin: generated from lib/rights.ts by npm run generate -->";
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
  const [begin, end] = [current.indexOf(BEGIN), current.indexOf(END)];
  if (begin < 0 || end < begin) {
    throw new Error(`docs/permissions.md must have the lines "${BEGIN}" and "${END}"`);
  }
  const roles = releaseRoles.map(section).join("\n\n");
  return `${current.slice(0, begin)}${BEGIN}\n\n${roles}\n\n${current.slice(end)}`;
}
