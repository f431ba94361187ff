import { expect, test, vi } from "vitest";
import { ApiError } from "../../standins/kubernetes-provider/client.ts";
import {
  putOff,
  putOffOrMissing,
  retrying,
  unread,
} from "../../standins/kubernetes-provider/retry.ts";

const answer = (status: number, message: string, reason = "") =>
  new ApiError(status, { message, reason });
const webhook = answer(
  500,
  'Internal error occurred: failed calling webhook "validation.istio.io": connection refused',
  "InternalError",
);

/** A failure of which the server says itself when to come back. */
const later = new ApiError(500, { message: "etcd is busy", details: { retryAfterSeconds: 1 } });
const busy = answer(429, "too many requests");
const gone = answer(0, "connect ECONNREFUSED");
const ends = answer(
  403,
  "unable to create new content in namespace x because it is being terminated",
  "Forbidden",
);
const missing = answer(404, 'namespaces "x" not found', "NotFound");

test("a write is sent again if the server has put it off", () => {
  expect(putOff(busy)).toBe("API server is busy");
  expect(putOff(later)).toBe("API server is not ready");
});

// Creation and Update in provider/pkg/await/await.go of the official provider: no other failure is tried again.
test.each([
  webhook,
  gone,
  ends,
  answer(503, "unavailable"),
  answer(409, "the object has been modified", "Conflict"),
  answer(409, 'Apply failed with 1 conflict: conflict with "kubectl-patch"', "Conflict"),
  answer(409, "object is being deleted: already exists", "AlreadyExists"),
  answer(400, 'admission webhook "validation.istio.io" denied the request: weights'),
  answer(403, "forbidden"),
  answer(422, "invalid"),
  new Error("anything else"),
])("%s fails a write, and a creation", (error) => {
  expect(putOff(error)).toBeUndefined();
  expect(putOffOrMissing(error)).toBeUndefined();
});

test("a creation, and nothing else, waits for its namespace or kind", () => {
  expect(putOffOrMissing(missing)).toBe("namespace or kind not there");
  expect(putOffOrMissing(busy)).toBe("API server is busy");
  expect(putOff(missing)).toBeUndefined();
});

test("a read is sent again until there is an answer", () => {
  expect(unread(gone)).toBe("API server not reachable");
  expect(unread(answer(503, "unavailable"))).toBe("API server is not ready");
  expect(unread(busy)).toBe("API server is not ready");
  for (const error of [missing, answer(403, "forbidden"), new Error("anything else")]) {
    expect(unread(error)).toBeUndefined();
  }
});

test("a request is sent again until it succeeds, and each reason is told once", async () => {
  const send = vi
    .fn<() => Promise<string>>()
    .mockRejectedValueOnce(busy)
    .mockRejectedValueOnce(busy)
    .mockResolvedValueOnce("done");
  const onWait = vi.fn();
  const { signal } = new AbortController();
  await expect(
    retrying(send, { forMs: 60_000, passing: putOff, everyMs: 1, signal, onWait }),
  ).resolves.toBe("done");
  expect(onWait).toHaveBeenCalledExactlyOnceWith(
    `API server is busy, trying again: ${busy.message}`,
  );
});

test("the last error is thrown when the time is over, and at once when cancelled", async () => {
  const send = vi.fn<() => Promise<string>>().mockRejectedValue(busy);
  const { signal } = new AbortController();
  await expect(retrying(send, { forMs: 0, passing: putOff, signal })).rejects.toBe(busy);
  await expect(
    retrying(send, { forMs: 60_000, passing: putOff, signal: AbortSignal.abort() }),
  ).rejects.toBe(busy);
  expect(send).toHaveBeenCalledTimes(2);
});
