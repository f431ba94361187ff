/** Objects of one answer at most: an answer stays small and in time, however many there are. */
const PAGE_SIZE = 250;

/** Which page of a list is asked for. */
interface Page {
  readonly limit: number;
  /** Where the page before has ended. @default it is the first */
  readonly _continue?: string;
}

/** A page as API servers give it. */
interface Answer<T> {
  readonly metadata?:
    { readonly continue?: string | undefined; readonly _continue?: string | undefined } | undefined;
  /** Null where there is no metadata at all, of which alone was asked. */
  readonly items: readonly T[] | null;
}

/** All objects of a list, page by page. */
export async function allPages<T>(list: (page: Page) => Promise<Answer<T>>): Promise<readonly T[]> {
  const items: T[] = [];
  let next: string | undefined;
  do {
    const answer = await list({ limit: PAGE_SIZE, ...(next !== undefined && { _continue: next }) });
    items.push(...(answer.items ?? []));
    // The client names it otherwise where it knows the kind.
    const token = answer.metadata?._continue ?? answer.metadata?.continue;
    next = token === "" ? undefined : token;
  } while (next !== undefined);
  return items;
}
