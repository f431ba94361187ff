/** Something that has taken too long. */
export class Late extends Error {}

/**
 * Settles like the promise, or fails if that takes longer. The work behind the promise is not cancelled.
 *
 * @param ms longest time, in milliseconds
 * @param late the error's message
 */
export async function within<T>(ms: number, promise: Promise<T>, late: string): Promise<T> {
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    timeout.reject(new Late(late));
  }, ms);
  try {
    return await Promise.race([promise, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}
