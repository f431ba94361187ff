import { describe, expect, it } from "vitest";

import { AnswerParser, type Answer } from "../../demo/answers.ts";

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
      { at: 5, version: "v2", cluster: "cluster-b", hops: [], failure: undefined },
    ]);
  });

  it("takes the way through a chain from its lines, of each answer its own", () => {
    const lines = ["Hop=front v2 cluster-b canary", "Hop=order-service v1 cluster-a -"];
    const [first, second] = parse([...served, ...lines, "#200 0 ", ...served, "#200 0 "]);
    expect(first?.hops).toEqual([
      { service: "front", version: "v2", cluster: "cluster-b", mark: "canary" },
      { service: "order-service", version: "v1", cluster: "cluster-a", mark: undefined },
    ]);
    expect(second?.hops).toEqual([]);
  });

  it("says which service of a chain has failed", () => {
    const lines = [
      ...["Hop=front v2 cluster-b -", "Failure=front v2 cluster-b: http://order/ answers 502"],
      ...["Hop=order v2 cluster-b -", "Failure=order v2 cluster-b: http://user/ answers 500"],
    ];
    const failures = parse([...served, ...lines, "#502 0 ", "#503 0 "]).map(
      ({ failure }) => failure,
    );
    expect(failures).toEqual([
      "HTTP 502: order v2 cluster-b: http://user/ answers 500",
      "HTTP 503",
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
