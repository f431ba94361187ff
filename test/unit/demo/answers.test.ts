import { describe, expect, it } from "vitest";

import { AnswerParser, type Answer } from "../../../lab/demo/answers.ts";

function parse(lines: readonly string[]): Answer[] {
  const parser = new AnswerParser();
  return lines.map((line, at) => parser.line(line, at)).filter((answer) => answer !== undefined);
}

const served = [
  "ServiceVersion=v2",
  "Cluster=cluster-b",
  "Hostname=user-service-v2-1",
  "Method=GET",
  "",
];

describe("AnswerParser", () => {
  it("takes version and cluster from the echo server's lines", () => {
    expect(parse([...served, "#200 0 "])).toEqual([
      { at: 5, version: "v2", cluster: "cluster-b", failure: undefined },
    ]);
  });

  it("says why a request failed", () => {
    const failures = parse([
      ...["no healthy upstream", "#503 0 "],
      "#000 7 Failed to connect to 10.0.0.1 port 80",
      "#200 0 ",
    ]).map(({ failure }) => failure);
    expect(failures).toEqual([
      "HTTP 503",
      "curl 7: Failed to connect to 10.0.0.1 port 80",
      "an answer that names no version or cluster",
    ]);
  });

  it("does not carry one answer's version over to the next", () => {
    const [, second] = parse([...served, "#200 0 ", "#200 0 "]);
    expect(second).toMatchObject({ version: undefined, cluster: undefined });
  });
});
