/** Shows that the shape of a log answers for the term of every index through growth, truncation and compaction. */
import { describe, expect, test } from "bun:test";
import { logIndex, term } from "../../../../src/base/brand.ts";
import { compactLog, EMPTY_LOG, extendLog, lastTerm, termAt, truncateLog } from "../../../../src/core/raft/log.ts";

/** Entries 1-3 of term 1, 4-5 of term 3, 6 of term 4. */
const LOG = extendLog(extendLog(extendLog(EMPTY_LOG, term(1), 3), term(3), 2), term(4), 1);
const terms = (log: typeof LOG) => Array.from({ length: 8 }, (_, i) => termAt(log, logIndex(i)));

describe("the shape of a log", () => {
  test("an empty log has term 0 and no entries", () => {
    expect(lastTerm(EMPTY_LOG)).toBe(term(0));
    expect(termAt(EMPTY_LOG, logIndex(1))).toBeUndefined();
  });

  test("INV-R2: each index has the term it was appended with", () => {
    expect(terms(LOG).map(Number)).toEqual([0, 1, 1, 1, 3, 3, 4, Number.NaN]);
    expect(LOG.runs).toHaveLength(3);
    expect(LOG.lastIndex).toBe(logIndex(6));
  });

  test("appending nothing changes nothing", () => {
    expect(extendLog(LOG, term(9), 0)).toEqual(LOG);
  });

  test("an older term is never appended", () => {
    expect(() => extendLog(LOG, term(3), 1)).toThrow("term 3 cannot follow one of term 4");
  });

  test("compaction keeps the term of the last compacted entry", () => {
    const log = compactLog(LOG, logIndex(4));
    expect(log.compactedTerm).toBe(term(3));
    expect(terms(log).map(Number)).toEqual([Number.NaN, Number.NaN, Number.NaN, Number.NaN, 3, 3, 4, Number.NaN]);
    expect(log.runs.map((r) => Number(r.first))).toEqual([5, 6]);
  });

  test("a log compacted to its end is empty and grows on", () => {
    const log = compactLog(LOG, logIndex(6));
    expect(log.runs).toEqual([]);
    expect(lastTerm(log)).toBe(term(4));
    expect(termAt(extendLog(log, term(4), 1), logIndex(7))).toBe(term(4));
  });

  test("what the log does not hold cannot be compacted", () => {
    expect(() => compactLog(LOG, logIndex(7))).toThrow("entry 7 is not in the log");
    expect(() => compactLog(compactLog(LOG, logIndex(4)), logIndex(3))).toThrow("entry 3 is not in the log");
  });

  test("truncation drops the end and the terms that began there", () => {
    const log = truncateLog(LOG, logIndex(5));
    expect(log.lastIndex).toBe(logIndex(4));
    expect(lastTerm(log)).toBe(term(3));
    expect(truncateLog(LOG, logIndex(4)).runs).toHaveLength(1);
    expect(truncateLog(LOG, logIndex(7))).toEqual(LOG);
  });

  test("what is compacted cannot be truncated", () => {
    expect(() => truncateLog(compactLog(LOG, logIndex(4)), logIndex(4))).toThrow("entry 4 is compacted");
  });
});
