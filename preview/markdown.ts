import { unknownValue } from "@pulumi/pulumi/runtime/rpc.js";
import { stripVTControlCharacters } from "node:util";
import { chainLines } from "./chain.ts";
import { ACTIONS, changes, isMark, type Change, type PropertyChange } from "./changes.ts";
import type { Digest } from "./digest.ts";
import { withoutKeys } from "./secrets.ts";
import { code, section, table } from "./markup.ts";
import { routeChanges, traffic, type Share } from "./traffic.ts";
import { warnings } from "./warnings.ts";

/** Maximum length of the comment in characters. GitHub allows 65,536. */
export const MAX_LENGTH = 60_000;
/** Maximum length of Pulumi's messages, so that the rest has room. */
const MAX_SAID = 20_000;
/** Maximum length of one value. */
const MAX_VALUE = 120;
/** Characters before the first difference that are shown of long values. */
const CONTEXT = 20;

/** What a preview is of. */
export interface PreviewOf {
  /** Name of the stack. */
  readonly stack: string;
  /** When certificates are looked at. */
  readonly now: Date;
  /** Whether Pulumi has failed, even if the preview tells of no error. @default false */
  readonly failed?: boolean;
}

/**
 * The first line of what is rendered, invisible in a comment. Whoever posts it finds an earlier
 * comment on the same stack by it.
 */
function marker(stack: string): string {
  return `<!-- istio-canary preview of stack ${stack} -->`;
}

/** Renders a preview as Markdown for a pull request. The same preview gives the same text. */
export function renderPreview(digest: Digest, { stack, now, failed = false }: PreviewOf): string {
  const changed = changes(digest);
  const errors = digest.diagnostics.filter(({ severity }) => severity === "error");
  const hasFailed = failed || errors.length > 0;
  // A preview that stopped half-way does not know what the shares would be.
  const shares = hasFailed ? [] : traffic(digest);
  const chain = hasFailed ? [] : chainLines(routeChanges(digest));
  const said = [
    ...errors,
    ...digest.diagnostics.filter(({ severity }) => severity === "warning"),
  ].map(({ message }) => stripVTControlCharacters(withoutKeys(message)).trim());
  return fit(stack, [
    ...top(stack, hasFailed),
    ...section("Pulumi says", said.length === 0 ? [] : fenced([...new Set(said)].sort())),
    ...section(
      "Warnings",
      warnings(digest, changed, shares, now).map((line) => `- ${line}`),
    ),
    // What a follower gets is told with the chain, in one row.
    ...section("Traffic", trafficTable(shares.filter(({ role }) => role !== "follower"))),
    ...section("Chain", chain),
    ...(changed.length === 0 && hasFailed ? [] : summary(changed)),
    ...clusters(changed).flatMap((cluster) =>
      section(
        cluster ?? "In no cluster",
        changed.filter((change) => change.cluster === cluster).flatMap(changeLines),
      ),
    ),
  ]);
}

/** What is shown instead of a preview when Pulumi ended before it had one. */
export function renderFailure(stack: string): string {
  return [
    ...top(stack, true),
    "Pulumi ended before it had a preview. Its own output says why: see the log of this run.",
    "",
  ].join("\n");
}

function top(stack: string, failed: boolean): readonly string[] {
  return [marker(stack), `## Preview of stack ${code(stack)}${failed ? " failed" : ""}`, ""];
}

/** Text as it stands, in a fence that is longer than any in the text. */
function fenced(messages: readonly string[]): readonly string[] {
  const all = messages.join("\n\n");
  const text = all.length > MAX_SAID ? `${all.slice(0, MAX_SAID)}…` : all;
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(longest + 1);
  return [`${fence}text`, ...text.split("\n"), fence];
}

function trafficTable(shares: readonly Share[]): readonly string[] {
  const percent = (share: number | undefined) => (share === undefined ? "none" : `${share} %`);
  return table(
    ["service", "cluster", "version", "now", "after"],
    shares.map(({ service, cluster, version, before, after }) => [
      code(service),
      cluster,
      version,
      percent(before),
      before === after ? percent(after) : `**${percent(after)}**`,
    ]),
  );
}

/** The clusters in which something changes, by name; what is in none comes last. */
function clusters(changed: readonly Change[]): readonly (string | undefined)[] {
  const names = new Set(changed.map(({ cluster }) => cluster));
  const known = [...names].filter((name) => name !== undefined).sort();
  return names.has(undefined) ? [...known, undefined] : known;
}

function summary(changed: readonly Change[]): readonly string[] {
  if (changed.length === 0) return ["No resource changes.", ""];
  const count = (cluster: string | undefined, action: Change["action"]) =>
    changed.filter((change) => change.cluster === cluster && change.action === action).length;
  return section(
    "Changes",
    table(
      ["", ...ACTIONS],
      clusters(changed).map((cluster) => [
        cluster ?? "in no cluster",
        ...ACTIONS.map((action) => String(count(cluster, action))),
      ]),
    ),
  );
}

function changeLines({ action, kind, name, properties }: Change): readonly string[] {
  return [`- **${action}** ${kind} ${code(name)}`, ...properties.map(propertyLine)];
}

function propertyLine(change: PropertyChange): string {
  if (isMark(change.path)) return "  - the cluster differs from Pulumi's state";
  const [before, after] = [inWords(change.old), inWords(change.new)];
  return `  - ${code(change.path)}: ${shorten(before, after)} → ${shorten(after, before)}`;
}

/** Undefined where there is nothing. */
function inWords(value: unknown): string | undefined {
  if (value === unknownValue) return "known after the update";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** A value in one line. Of a long one, the part in which it begins to differ from the other. */
function shorten(text: string | undefined, other: string | undefined): string {
  if (text === undefined) return "none";
  if (text.length <= MAX_VALUE) return code(text);
  let difference = 0;
  while (difference < text.length && text[difference] === other?.[difference]) difference++;
  const start = Math.max(0, Math.min(difference - CONTEXT, text.length - MAX_VALUE));
  const end = start + MAX_VALUE;
  return code(`${start > 0 ? "…" : ""}${text.slice(start, end)}${end < text.length ? "…" : ""}`);
}

/** Leaves out lines at the end until the text is short enough, and says so. */
function fit(stack: string, lines: readonly string[]): string {
  const whole = lines.join("\n");
  if (whole.length < MAX_LENGTH) return whole;
  const note = (left: number) => [
    "",
    `**${left} lines are left out**, since a comment holds no more. ` +
      `All of them: ${code(`pulumi preview --diff --stack ${stack}`)}.`,
    "",
  ];
  const room = MAX_LENGTH - note(lines.length).join("\n").length;
  let length = 0;
  const kept = lines.findIndex((line) => (length += line.length + 1) >= room);
  return [...lines.slice(0, kept), ...note(lines.length - kept)].join("\n");
}
