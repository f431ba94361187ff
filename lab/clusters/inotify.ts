import { readFile, writeFile } from "node:fs/promises";

const limitFile = "/proc/sys/fs/inotify/max_user_instances";
/**
 * Each Istio proxy holds two inotify instances, and those of all clusters and labs count as one user's.
 * The kernel's default of 128 is used up by three clusters.
 */
const needed = 1024;

/**
 * Makes sure that the machine lets a user have enough inotify instances: without, proxies end at their
 * start with "too many open files". The limit stays raised until the machine reboots, since other
 * labs may rely on it.
 *
 * @returns what was changed, for people; undefined if nothing was
 */
export async function ensureInotifyInstances(file = limitFile): Promise<string | undefined> {
  const limit = Number(await readFile(file, "utf8"));
  if (limit >= needed) return undefined;
  try {
    await writeFile(file, `${needed}\n`);
  } catch (error) {
    throw new Error(
      `The machine allows only ${limit} inotify instances for each user, too few for the proxies of the lab, ` +
        `and does not let this be changed from here: set the kernel parameter fs.inotify.max_user_instances to ${needed} on it`,
      { cause: error },
    );
  }
  return `raised fs.inotify.max_user_instances from ${limit} to ${needed}`;
}
