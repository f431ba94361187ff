import { ApiException } from "@kubernetes/client-node";
import * as z from "zod";
import { Late } from "../lib/within.ts";

const REQUEST_TIMEOUT = 408;
const TOO_MANY_REQUESTS = 429;

const status = z.looseObject({ message: z.string() });

/** What went wrong with a request, in one line: the API server's message, or why there was no answer. */
export function explain(error: unknown): string {
  if (error instanceof ApiException) {
    const body: unknown = error.body;
    const parsed = status.safeParse(typeof body === "string" ? fromJson(body) : body);
    return parsed.success ? parsed.data.message : `HTTP ${error.code}`;
  }
  if (!(error instanceof Error)) {
    // A WebSocket that is not opened tells why by an event.
    const event = status.safeParse(error);
    return event.success ? event.data.message : String(error);
  }
  if (error.name === "TimeoutError") return "no answer in time";
  if (error instanceof z.ZodError) return z.prettifyError(error).replaceAll(/\s*\n\s*/g, " ");
  if (error instanceof AggregateError) return error.errors.map(explain).join(", ");
  const cause = error.cause;
  if (cause instanceof AggregateError) return cause.errors.map(explain).join(", ");
  return cause instanceof Error ? explain(cause) : error.message.split("\n", 1).join("");
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** Whether the API server has answered that there is no such thing. */
export function isNotFound(error: unknown): boolean {
  return error instanceof ApiException && error.code === 404;
}

/** Whether the API server has refused a write because the object is no longer what the write was meant for. */
export function isConflict(error: unknown): boolean {
  return error instanceof ApiException && error.code === 409;
}

/** Whether the API server has refused a request for good: it would do so again. */
export function isFinal(error: unknown): boolean {
  return isRefusal(error) && error.code !== REQUEST_TIMEOUT && error.code !== TOO_MANY_REQUESTS;
}

/** Errors of the network and of name resolution, as Node names them. */
const NETWORK = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_SOCKET",
]);

/** Something that has failed and may succeed in a moment, although no single request tells so. */
export class Transient extends Error {}

/**
 * Whether a request may succeed in a moment: nobody has answered, or a server that is busy or broken. Anything that
 * is not known to be so is not.
 */
export function isTransient(error: unknown): boolean {
  if (error instanceof Transient || error instanceof Late) return true;
  if (error instanceof ApiException) return error.code >= 500 || !isFinal(error);
  // A WebSocket that is not opened tells why by an event.
  if (!(error instanceof Error)) return status.safeParse(error).success;
  if (error.name === "TimeoutError") return true;
  if ("code" in error && typeof error.code === "string" && NETWORK.has(error.code)) return true;
  const { cause } = error;
  if (cause instanceof AggregateError) return cause.errors.every(isTransient);
  return cause !== undefined && isTransient(cause);
}

/** Errors of a connection that the other side has closed. */
const CLOSED = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"]);

/** Whether the connection was closed under a request: servers close those that were idle, just as one is sent. */
export function wasClosed(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const isClosed = "code" in error && typeof error.code === "string" && CLOSED.has(error.code);
  return isClosed || wasClosed(error.cause);
}

/** Whether the API server has refused a request, which then has had no effect. */
export function isRefusal(error: unknown): error is ApiException<unknown> {
  return error instanceof ApiException && error.code >= 400 && error.code < 500;
}
