import { expect, test, vi } from "vitest";
import { ApiError } from "../../standins/kubernetes-provider/client.ts";
import { passingReason, retrying } from "../../standins/kubernetes-provider/retry.ts";

const answer = (status: number, message: string, reason = "") =>
  new ApiError(status, { message, reason });
const webhook = answer(
  500,
  'Internal error occurred: failed calling webhook "validation.istio.io": connection refused',
  "InternalError",
);

test.each([
  [webhook, "webhook not ready"],
  [answer(429, "too many requests"), "API server is busy"],
  [answer(503, "unavailable"), "API server is not ready"],
  [answer(0, "connect ECONNREFUSED"), "API server not reachable"],
  [answer(409, "the object has been modified", "Conflict"), "object was changed at the same time"],
  [
    answer(403, "unable to create new content in namespace x because it is being terminated"),
    "namespace is being deleted",
  ],
])("%s passes", (error, reason) => {
  expect(passingReason(error)).toBe(reason);
});

test.each([
  answer(409, 'Apply failed with 1 conflict: conflict with "kubectl-patch"', "Conflict"),
  answer(409, "already exists", "AlreadyExists"),
  answer(400, 'admission webhook "validation.istio.io" denied the request: weights'),
  answer(403, "forbidden"),
  answer(422, "invalid"),
  new Error("anything else"),
])("%s does not pass", (error) => {
  expect(passingReason(error)).toBeUndefined();
});

test("a request is sent again until it succeeds, and each reason is told once", async () => {
  const send = vi
    .fn<() => Promise<string>>()
    .mockRejectedValueOnce(webhook)
    .mockRejectedValueOnce(webhook)
    .mockResolvedValueOnce("done");
  const onWait = vi.fn();
  const { signal } = new AbortController();
  await expect(retrying(send, { forMs: 60_000, everyMs: 1, signal, onWait })).resolves.toBe("done");
  expect(onWait).toHaveBeenCalledExactlyOnceWith(
    `webhook not ready, trying again: ${webhook.message}`,
  );
});

test("the last error is thrown when the time is over, and at once when cancelled", async () => {
  const send = vi.fn<() => Promise<string>>().mockRejectedValue(webhook);
  const { signal } = new AbortController();
  await expect(retrying(send, { forMs: 0, signal })).rejects.toBe(webhook);
  await expect(retrying(send, { forMs: 60_000, signal: AbortSignal.abort() })).rejects.toBe(
    webhook,
  );
  expect(send).toHaveBeenCalledTimes(2);
});
