import type { ChainRole } from "./mark.ts";

/** A service whose canary is judged. */
export interface Judged {
  readonly service: string;
  readonly namespace: string;
  readonly host: string;
  /** Other hosts by which it is called. @default none */
  readonly otherHosts?: readonly string[] | undefined;
  readonly stable: string;
  readonly canary: string;
  /** What it is in a chain. @default it is in none */
  readonly role?: ChainRole | undefined;
}
