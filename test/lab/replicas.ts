import path from "node:path";
import { z } from "zod";

const version = z.looseObject({ replicas: z.number() });
const services = z.tuple([z.looseObject({ stable: version, canary: version })], z.unknown());

/**
 * The replicas of the first service's versions, as the lab's stack has them.
 *
 * @param configured value of the key `services`
 * @param file the stack's config file
 * @throws saying what the lab tests need of it, if there is no canary, or no number of replicas
 */
export function replicasOf(
  configured: unknown,
  file: string,
): { readonly stable: number; readonly canary: number } {
  const parsed = services.safeParse(configured);
  if (!parsed.success) {
    const where = parsed.error.issues.map((issue) => z.core.toDotPath(["services", ...issue.path]));
    throw new Error(
      `The lab tests cannot use ${path.basename(file)}: its first service needs a stable and a canary version with a number of replicas. ` +
        `Missing or wrong: ${where.join(", ")}. Add it, or move the file away: make lab-up writes a new one.`,
    );
  }
  const [{ stable, canary }] = parsed.data;
  return { stable: stable.replicas, canary: canary.replicas };
}
