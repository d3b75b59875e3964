/** Reads a list of the API page by page. */

const PAGE_MAX = 1_000;

/** What was read, and whether there is more. */
export interface Pages<T> {
  readonly items: readonly T[];
  readonly isComplete: boolean;
}

/** Returns the first `most` items that `fetchPage` gives. */
export async function pageThrough<T>(
  fetchPage: (limit: number, cursor: string) => Promise<{ readonly items: readonly T[]; readonly nextCursor: string }>,
  most = Number.POSITIVE_INFINITY,
): Promise<Pages<T>> {
  const items: T[] = [];
  let cursor = "";
  do {
    const page = await fetchPage(Math.min(PAGE_MAX, most - items.length), cursor);
    for (const item of page.items) items.push(item);
    cursor = page.nextCursor;
  } while (cursor !== "" && items.length < most);
  return { items, isComplete: cursor === "" };
}
