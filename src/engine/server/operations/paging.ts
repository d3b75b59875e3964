/** Pages of listings that are ordered by a key: the cursor is the last key of the page before. */
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import { LIMITS } from "../../../core/domain/limits.ts";
import type { Page, PageRequest } from "./results.ts";

/** Returns how many items a page may have. @throws INVALID_SPEC for a number that makes no sense. */
export function pageSize({ limit }: PageRequest): number {
  if (!Number.isSafeInteger(limit) || limit < 0) {
    throw new LatticeError(fault("INVALID_SPEC", `limit is ${limit} and must be a whole number`));
  }
  return limit === 0 ? LIMITS.pageSizeDefault : Math.min(limit, LIMITS.pageSizeMax);
}

/** Returns one page of `items`, which are in ascending order of their text keys. */
export function pageByText<T>(items: readonly T[], keyOf: (item: T) => string, page: PageRequest): Page<T> {
  const size = pageSize(page);
  const rest = page.cursor === "" ? items : items.filter((item) => keyOf(item) > page.cursor);
  const shown = rest.slice(0, size);
  const last = shown.at(-1);
  return last !== undefined && rest.length > size ? { items: shown, nextCursor: keyOf(last) } : { items: shown };
}

/** Reads a cursor that is a number; undefined for the first page. @throws INVALID_CURSOR. */
export function numberCursor({ cursor }: PageRequest): number | undefined {
  if (cursor === "") return undefined;
  const value = Number(cursor);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new LatticeError(fault("INVALID_CURSOR", `${JSON.stringify(cursor)} is no cursor of this list`));
  }
  return value;
}
