import http from "node:http";
import https from "node:https";
import { text } from "node:stream/consumers";

/** What a server has answered. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** What a request brings beside its URL. */
export interface HttpRequest {
  /** @default none but those of HTTP itself */
  readonly headers?: Readonly<Record<string, string>>;
  /** Certificates, for https. @default what Node.js trusts, and none of the client's own */
  readonly agent?: https.Agent | undefined;
  /** Longest wait for the whole answer, in milliseconds. */
  readonly timeoutMs: number;
}

/** Redirects that are followed. */
const REDIRECTS = 5;

/**
 * GETs a text. A redirect is followed within the host; to another one only if the request brings nothing that
 * would be given away there.
 *
 * @throws if there is no answer, or it is a redirect that is not followed; no message has a part of the URL but its
 * scheme, host and port
 */
export async function httpGet(url: URL, request: HttpRequest): Promise<HttpAnswer> {
  const { headers = {}, agent, timeoutMs } = request;
  const signal = AbortSignal.timeout(timeoutMs);
  const brings = Object.keys(headers).length > 0 || agent !== undefined || url.username !== "";
  let at = url;
  for (let i = 0; i <= REDIRECTS; i += 1) {
    const { location, ...answer } = await getOnce(at, { headers, agent, signal });
    if (location === undefined) return answer;
    const to = URL.canParse(location, at.href) ? new URL(location, at.href) : undefined;
    if (to === undefined || !/^https?:$/.test(to.protocol)) {
      throw new Error("it redirects to something that is not a URL");
    }
    if (to.origin === url.origin) {
      to.username = url.username;
      to.password = url.password;
    } else if (brings) {
      throw new Error(`it redirects to ${to.origin}, to which its credentials are not sent`);
    }
    at = to;
  }
  throw new Error(`it redirects more than ${REDIRECTS} times`);
}

async function getOnce(
  url: URL,
  options: Pick<https.RequestOptions, "agent" | "signal"> & { headers: HttpRequest["headers"] },
): Promise<HttpAnswer & { readonly location?: string | undefined }> {
  const { get } = url.protocol === "https:" ? https : http;
  return new Promise((resolve, reject) => {
    get(
      url,
      { ...options, headers: { accept: "application/json", ...options.headers } },
      (from) => {
        const { statusCode: status = 0, headers } = from;
        const location = status >= 301 && status <= 308 ? headers.location : undefined;
        text(from).then((body) => {
          resolve({ status, body, location });
        }, reject);
      },
    ).on("error", reject);
  });
}
