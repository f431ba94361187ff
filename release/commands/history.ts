import { statesJson, statesTable } from "../describe.ts";
import { ReleaseStack } from "../stack.ts";

export interface HistoryOptions {
  readonly stack: string;
  /** For machines instead of people. */
  readonly json?: boolean;
}

/** Prints every state of the stack that its backend has recorded. */
export async function history({ stack: name, json }: HistoryOptions): Promise<void> {
  const stack = await ReleaseStack.open(name);
  const states = await stack.states();
  console.log(json ? statesJson(states) : statesTable(states));
}
