/** The part of a service's requests that one version gets, in percent. */
export interface Share {
  readonly version: string;
  readonly weight: number;
}

/** Versions and weight from which a service's shares follow. */
export interface Split {
  /** Version that gets what the canary does not. */
  readonly stable: string;
  /** Version on trial. @default none, stable gets everything */
  readonly canary?: string | undefined;
  /** Percent of requests for the canary. Without a canary it has no effect. */
  readonly weight: number;
  /** Whether the rules name no version: requests go to all pods of the service. @default they name the versions */
  readonly unnamed?: true | undefined;
}

/** Whether `weight` is a whole number of percent. */
export function isWeight(weight: unknown): weight is number {
  return Number.isInteger(weight) && (weight as number) >= 0 && (weight as number) <= 100;
}

/** Each version's share, stable first. Both are always listed, and they sum to 100. */
export function shares({ stable, canary, weight }: Split): readonly Share[] {
  return canary === undefined
    ? [{ version: stable, weight: 100 }]
    : [
        { version: stable, weight: 100 - weight },
        { version: canary, weight },
      ];
}

/** The same as a record, for outputs: `{v1: 90, v2: 10}`. */
export function sharesByVersion(split: Split): Readonly<Record<string, number>> {
  return Object.fromEntries(shares(split).map(({ version, weight }) => [version, weight]));
}

/** Whether the phases of a release are whole percents that rise strictly and end at 100. */
export function arePhases(phases: readonly unknown[]): phases is readonly number[] {
  return (
    phases.at(-1) === 100 &&
    phases.every(
      (phase, i) => isWeight(phase) && phase > ((phases[i - 1] as number | undefined) ?? 0),
    )
  );
}
