import { connect, createServer, type Server } from "node:net";
import { text } from "node:stream/consumers";
import { until } from "../../lib/until.ts";

/** Longest time to wait for a lock, in milliseconds: a first build of the toolchain takes about half an hour. */
const timeoutMs = 60 * 60 * 1000;

/**
 * Runs `work` while no other process of this machine holds the lock of that name. The lock is an
 * abstract Unix socket: the kernel releases it when its holder dies, however it dies.
 *
 * @param holder who else may hold it, as it completes "waiting for …"
 * @param onWait told once, when the lock is not free, which process holds it
 */
export async function withLock<T>(
  name: string,
  holder: string,
  work: () => Promise<T>,
  onWait: (message: string) => void = () => undefined,
): Promise<T> {
  let told = false;
  const server = await until(
    `${holder} to finish`,
    async () => {
      try {
        return await listen(name);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
        const pid = await holderOf(name);
        if (!told) onWait(`waiting for ${holder} to finish (process ${pid})`);
        told = true;
        throw new Error(`process ${pid} holds the lock`, { cause: error });
      }
    },
    { timeoutMs, everyMs: 500 },
  );
  try {
    return await work();
  } finally {
    await new Promise((done) => server.close(done));
  }
}

function listen(name: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.end(String(process.pid)));
    server.once("error", reject);
    server.listen(`\0${name}`, () => {
      server.unref();
      resolve(server);
    });
  });
}

async function holderOf(name: string): Promise<string> {
  const socket = connect(`\0${name}`);
  try {
    return await text(socket);
  } catch {
    // The holder let go in this very moment; the next try will get the lock.
    return "that has just ended";
  }
}
