import * as z from "zod";
import { explain } from "../../fleet/explain.ts";
import { httpGet } from "../../fleet/http-get.ts";
import { durationMs } from "../../lib/duration.ts";
import type { Gates } from "../../stacks/schema.ts";
import { fromJson } from "../../lib/from-json.ts";
import type { Count } from "./confidence.ts";

type WebGate = Gates["web"][number];

/** Which events an endpoint is asked about. */
export interface Asked {
  readonly cluster: string;
  readonly service: string;
  readonly namespace: string;
  readonly version: string;
  /** The stretch of time in which they happened. */
  readonly since: Date;
  readonly until: Date;
}

const answer = z.record(z.string(), z.unknown());

/** The counts of endpoints, and the last ones of each: those of a stretch that only grows cannot shrink. */
export class WebCounts {
  readonly #last = new Map<string, Count>();

  /**
   * Asks an endpoint for one version's bad events and all of them.
   *
   * @throws if it does not answer, answers something else, or counts fewer than before. The message has no more of
   * the URL than its scheme, host and port
   */
  async count(gate: WebGate, asked: Asked): Promise<Count> {
    const url = new URL(filledIn(gate.url, asked));
    const { status, body } = await httpGet(url, {
      headers: gate.headers,
      timeoutMs: durationMs(gate.timeout),
    }).catch((error: unknown) => {
      throw new Error(`${url.origin} did not answer: ${explain(error)}`);
    });
    if (status === 401 || status === 403) {
      throw new Error(
        `${url.origin} refuses the request (HTTP ${status}): check url and headers of ${gate.name} in rollout.gates.web`,
      );
    }
    if (status < 200 || status > 299) throw new Error(`${url.origin} answered HTTP ${status}`);
    const count = counted(body, url.origin);
    const { cluster, namespace, service, version, since } = asked;
    const key = [gate.name, cluster, namespace, service, version, since.getTime()].join(" ");
    const last = this.#last.get(key);
    if (last && (count.hits < last.hits || count.trials < last.trials)) {
      throw new Error(
        `${url.origin} counts fewer events than before: ${words(last)}, then ${words(count)}`,
      );
    }
    this.#last.set(key, count);
    return count;
  }
}

/** The URL for one version; values are encoded. */
function filledIn(template: string, { since, until, ...names }: Asked): string {
  const values: Readonly<Record<string, string>> = {
    ...names,
    since: since.toISOString(),
    until: until.toISOString(),
    window: `${Math.floor((until.getTime() - since.getTime()) / 1000)}s`,
  };
  return template.replaceAll(/\{\{(\w+)\}\}/g, (all, name: string) => {
    const value = values[name];
    return value === undefined ? all : encodeURIComponent(value);
  });
}

function counted(body: string, origin: string): Count {
  const { data } = answer.safeParse(fromJson(body));
  if (!data) {
    throw new Error(`${origin} answers with something other than {"bad": 1, "all": 100}`);
  }
  const number = (name: "bad" | "all"): number => {
    const { [name]: value } = data;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    throw new Error(
      `${origin} answers with ${name}: ${typeof value === "number" ? value : "no number"}; it must be a whole number, 0 or more`,
    );
  };
  const [hits, trials] = [number("bad"), number("all")];
  if (hits > trials)
    throw new Error(`${origin} counts more bad events than all: ${words({ hits, trials })}`);
  return { hits, trials };
}

function words({ hits, trials }: Count): string {
  return `${hits} bad of ${trials}`;
}
