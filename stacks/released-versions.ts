import * as z from "zod";
import { idOf, serviceKey } from "../lib/names.ts";
import type { ReleaseSettings } from "./config.ts";

const version = z.object({ version: z.string(), image: z.string().optional() });

const serviceVersions = z.object({
  stable: version,
  /** With the percent of the requests that it has in every cluster, at least. */
  canary: version.extend({ weight: z.number() }).optional(),
});

/** The versions of one service. */
export type ServiceVersions = z.output<typeof serviceVersions>;

/** The output `versions`: what a stack serves, by `namespace/service`, for stacks that require it. */
export const versionsOutput = z.record(z.string(), serviceVersions);

/**
 * The versions of a stack's services.
 *
 * @param weight percent that the canaries have where the weight is in force
 */
export function releasedVersions(
  { services, quarantine, away }: Pick<ReleaseSettings, "services" | "quarantine" | "away">,
  weight: number,
): Readonly<Record<string, ServiceVersions>> {
  const everywhere = quarantine.length === 0 && away.length === 0;
  const about = ({ version, image }: { version: string; image?: string | undefined }) => ({
    version,
    ...(image !== undefined && { image }),
  });
  return Object.fromEntries(
    services.map(({ stable, canary, ...service }) => [
      serviceKey(idOf(service)),
      {
        stable: about(stable),
        ...(canary && { canary: { ...about(canary), weight: everywhere ? weight : 0 } }),
      },
    ]),
  );
}
