import { headline, type Headline } from "./headline.ts";
import type { ReleaseLook } from "./look.ts";

/** A badge as Shields' endpoint takes it. (https://shields.io/badges/endpoint-badge) */
interface Badge {
  readonly schemaVersion: 1;
  readonly label: string;
  readonly message: string;
  readonly color: "green" | "red" | "blue";
}

const COLORS: Readonly<Record<Headline["kind"], Badge["color"]>> = {
  good: "green",
  bad: "red",
  open: "blue",
};

/** How a release stands, as a badge for a README, a chat or a portal. */
export function badgeOf(look: ReleaseLook): Badge {
  const { kind, title } = headline(look);
  return {
    schemaVersion: 1,
    label: `release ${look.status.stack}`,
    message: title,
    color: COLORS[kind],
  };
}
