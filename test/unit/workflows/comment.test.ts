import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { load } from "js-yaml";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { renderFailure } from "../../../preview/markdown.ts";

interface Comment {
  readonly id: number;
  readonly body: string;
  readonly user: { readonly login: string };
}

/** The script of the job `comment`, as github-script runs it. */
const script = (() => {
  const file = new URL("../../../.github/workflows/preview.yml", import.meta.url);
  const { jobs } = load(readFileSync(file, "utf8")) as {
    jobs: { comment: { steps: { with: { script?: string } }[] } };
  };
  const source = jobs.comment.steps.map((step) => step.with.script).find(Boolean);
  // As github-script does: an async function of these names.
  const make = Object.getPrototypeOf(async () => Promise.resolve()) as {
    constructor: new (...args: string[]) => (...args: unknown[]) => Promise<void>;
  };
  return new make.constructor("github", "context", "require", source ?? "");
})();

const BOT = { login: "github-actions[bot]" };
let folder: string;
const before = process.cwd();

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "comment-"));
  process.chdir(folder);
});
afterEach(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

function rendered(stack: string, body = renderFailure(stack)): string {
  mkdirSync(path.join("previews", `preview-${stack}`), { recursive: true });
  writeFileSync(path.join("previews", `preview-${stack}`, "preview.md"), body);
  return body;
}

/** Runs the script against a pull request with these pages of comments; tells what it wrote. */
async function run(pages: readonly (readonly Comment[])[]): Promise<unknown[]> {
  const written: unknown[] = [];
  const write = (what: string) => (args: unknown) => {
    written.push([what, args]);
    return Promise.resolve();
  };
  const issues = {
    listComments: () => Promise.resolve({ data: pages[0] }),
    createComment: write("create"),
    updateComment: write("update"),
  };
  const github = {
    rest: { issues },
    paginate: (method: unknown, args: unknown) => {
      expect(method).toBe(issues.listComments);
      expect(args).toEqual({ owner: "o", repo: "r", issue_number: 7, per_page: 100 });
      return Promise.resolve(pages.flat());
    },
  };
  const context = { repo: { owner: "o", repo: "r" }, issue: { number: 7 } };
  await script(github, context, createRequire(import.meta.url));
  return written;
}

describe("the comment on a pull request", () => {
  it("is made the first time, one for each stack", async () => {
    const [prod, test] = [rendered("prod"), rendered("test")];
    const issue = { owner: "o", repo: "r", issue_number: 7 };
    expect(await run([[]])).toEqual([
      ["create", { ...issue, body: prod }],
      ["create", { ...issue, body: test }],
    ]);
  });

  it("is made for one stack alone, whose artifact has no folder of its own", async () => {
    const body = renderFailure("prod");
    mkdirSync("previews");
    writeFileSync(path.join("previews", "preview.md"), body);
    expect(await run([[]])).toMatchObject([["create", { body }]]);
  });

  it("is updated in place after that, on whatever page it is", async () => {
    const body = rendered("prod");
    const old = body.replace("failed", "is fine").replaceAll("\n", "\r\n");
    const others = Array.from({ length: 150 }, (_, id) => ({ id, body: "LGTM", user: BOT }));
    const pages = [others.slice(0, 100), [...others.slice(100), { id: 999, body: old, user: BOT }]];
    expect(await run(pages)).toEqual([
      ["update", { owner: "o", repo: "r", comment_id: 999, body }],
    ]);
  });

  it("is never somebody else's, nor another stack's", async () => {
    const body = rendered("prod");
    const comments = [
      { id: 1, body, user: { login: "mallory" } },
      { id: 2, body: renderFailure("prod-2"), user: BOT },
      { id: 3, body: `> ${body}`, user: BOT },
    ];
    expect(await run([comments])).toMatchObject([["create", { body }]]);
  });
});
