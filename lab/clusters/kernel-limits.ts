import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";

/** A limit of the kernel that holds for the whole machine. */
interface Limit {
  /** As sysctl names it. */
  readonly parameter: string;
  readonly needed: number;
  /** Why the lab cannot run with less. @default it can, with fewer pods */
  readonly required?: string;
}

/** What is too few for clusters of a hundred pods each, beyond the kernel's default. */
const neighbours = (threshold: number, needed: number): Limit => ({
  parameter: `net.ipv4.neigh.default.gc_thresh${threshold}`,
  needed,
});

const LIMITS: readonly Limit[] = [
  {
    // Each Istio proxy holds two inotify instances, and those of all clusters and labs count as one user's.
    // The kernel's default of 128 is used up by three clusters; proxies end with "too many open files" then.
    parameter: "fs.inotify.max_user_instances",
    needed: 1024,
    required: "inotify instances for each user, too few for the proxies of the lab",
  },
  // All network namespaces share one table of neighbours, in which every pod has some. Where it is full, nodes do not
  // reach each other, nor the machine them. The most first: each is to be greater than the next.
  neighbours(3, 16_384),
  neighbours(2, 8_192),
  neighbours(1, 4_096),
];

/** The kernel has no such parameter here: that of neighbours is the first network namespace's. */
function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}

async function raise({ parameter, needed, required }: Limit, folder: string): Promise<string[]> {
  const file = path.join(folder, parameter.replaceAll(".", "/"));
  try {
    const limit = Number(await readFile(file, "utf8"));
    if (limit >= needed) return [];
    try {
      await writeFile(file, `${needed}\n`);
    } catch (error) {
      if (required === undefined) {
        return [
          `${parameter} stays at ${limit}, since it cannot be changed from here: it takes ${needed} for hundreds of pods`,
        ];
      }
      throw new Error(
        `The machine allows only ${limit} ${required}, and does not let this be changed from here: ` +
          `set the kernel parameter ${parameter} to ${needed} on it`,
        { cause: error },
      );
    }
    return [`raised ${parameter} from ${limit} to ${needed}`];
  } catch (error) {
    if (required === undefined && isMissing(error)) return [];
    throw error;
  }
}

/**
 * Makes sure that the machine's limits are high enough for the lab. They stay raised until the machine reboots, since
 * other labs may rely on them.
 *
 * @param folder of the kernel's parameters
 * @returns what was changed, or could not be, for people
 * @throws if the lab cannot run with a limit that cannot be raised
 */
export async function raiseKernelLimits(folder = "/proc/sys"): Promise<readonly string[]> {
  const said: string[] = [];
  for (const limit of LIMITS) said.push(...(await raise(limit, folder)));
  return said;
}
