/**
 * Settles as the promise does, or fails when it takes longer. What it does goes on all the same.
 *
 * @param ms longest time, in milliseconds
 * @param late the error's message
 */
export async function within<T>(ms: number, promise: Promise<T>, late: string): Promise<T> {
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    timeout.reject(new Error(late));
  }, ms);
  try {
    return await Promise.race([promise, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}
