import { existsSync, globSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";

const root = path.resolve(import.meta.dirname, "../../..");
const pages = globSync("**/*.md", {
  cwd: root,
  exclude: ["node_modules", "lab/node_modules", ".lab", "test"],
});

function read(page: string): string {
  return readFileSync(path.join(root, page), "utf8");
}

/** A page without its code blocks, in which neither headings nor links are any. */
function prose(text: string): string {
  return text.replaceAll(/^( *)(`{3,})[^\n]*\n[^]*?^\1\2`*$/gm, "");
}

/** The ids that GitHub gives the headings of a page. */
function anchorsOf(text: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const [, heading = ""] of prose(text).matchAll(/^#{1,6} (.+)$/gm)) {
    const anchor = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_\- ]/gu, "")
      .replaceAll(" ", "-");
    let unique = anchor;
    for (let i = 1; found.has(unique); i++) unique = `${anchor}-${i}`;
    found.add(unique);
  }
  return found;
}

/** Targets of the links to places in the repository, outside of code. */
function linksOf(text: string): readonly string[] {
  return [...prose(text).matchAll(/\[(?:`[^`]*`|[^\]`])*\]\(([^)\s]+)\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !/^[a-z]+:/.test(target));
}

const anchors = new Map<string, ReadonlySet<string>>();
function anchorsIn(page: string): ReadonlySet<string> {
  const found = anchors.get(page) ?? anchorsOf(read(page));
  anchors.set(page, found);
  return found;
}

/** What is wrong with a link on a page, if anything. */
function brokenLink(page: string, link: string): string | undefined {
  const [file = "", anchor] = link.split("#");
  const target = file === "" ? page : path.join(path.dirname(page), file);
  if (!existsSync(path.join(root, target))) return `${page}: there is no ${link}`;
  if (anchor !== undefined && !anchorsIn(target).has(anchor)) {
    return `${page}: ${target} has no heading for #${anchor}`;
  }
  return undefined;
}

describe("the documentation", () => {
  it("links to files and headings that exist", () => {
    const links = pages.flatMap((page) => linksOf(read(page)).map((link) => [page, link] as const));
    expect(links.length).toBeGreaterThan(300);
    const broken = links.map(([page, link]) => brokenLink(page, link));
    expect(broken.filter((each) => each !== undefined)).toEqual([]);
  });

  it("tells a broken link from one that works", () => {
    expect(
      anchorsOf("# A `b.c[]`: d, e\n\n```sh\n# no heading\n```\n\n## Twice\n\n## Twice\n"),
    ).toEqual(new Set(["a-bc-d-e", "twice", "twice-1"]));
    expect(
      linksOf("[a](b.md#c) `[x]`\n\n```\n[no](link)\n```\n[`d[]`](#e) [f](https://g)"),
    ).toEqual(["b.md#c", "#e"]);
    expect(brokenLink("README.md", "docs/alerts.md#marklost")).toBeUndefined();
    expect(brokenLink("README.md", "docs/alerts.md#nothing")).toContain("#nothing");
    expect(brokenLink("docs/alerts.md", "docs/alerts.md")).toContain("there is no");
  });

  it("names make targets and npm scripts that exist", () => {
    const targets = new Set(
      [...readFileSync(path.join(root, "Makefile"), "utf8").matchAll(/^([a-z0-9-]+):/gm)].map(
        ([, target]) => target,
      ),
    );
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    const missing = pages.flatMap((page) => {
      const code = [...read(page).matchAll(/`([^`\n]+)`|^ *((?:make|npm) .*)$/gm)].map(
        ([, inline, line]) => inline ?? line ?? "",
      );
      return code.flatMap((text) => [
        ...[...text.matchAll(/(?:^|&& )make ([a-z0-9-]+)/g)]
          .filter(([, target]) => !targets.has(target))
          .map(([command]) => `${page}: ${command}`),
        ...[...text.matchAll(/npm run ([\w:-]+)/g)]
          .filter(([, script = ""]) => !(script in scripts))
          .map(([command]) => `${page}: ${command}`),
      ]);
    });
    expect(missing).toEqual([]);
  });

  it("has an index that names every page", () => {
    const index = linksOf(read("docs/README.md")).map((link) => link.split("#")[0]);
    const others = pages
      .filter((page) => path.dirname(page) === "docs" && page !== "docs/README.md")
      .map((page) => path.basename(page));
    expect(others.filter((page) => !index.includes(page))).toEqual([]);
  });

  it("starts with a README of at most 150 lines", () => {
    expect(read("README.md").trimEnd().split("\n").length).toBeLessThanOrEqual(150);
  });
});
