/** Shows every form in which a moment is written, in a zone two hours ahead of UTC. */
import { expect, test } from "bun:test";
import { millis } from "../../../../src/base/brand.ts";
import { parseMoment } from "../../../../src/core/slurm/moment.ts";

const WALL = { now: millis(Date.parse("2026-12-24T08:30:00Z")), zoneMs: 2 * 3_600_000 };

const read = (text: string) => {
  const at = parseMoment(text, WALL);
  return at.ok ? new Date(at.value).toISOString() : at.error.message;
};

test.each([
  ["now", "2026-12-24T08:30:00.000Z"],
  ["now+90", "2026-12-24T08:31:30.000Z"],
  ["now+1hour", "2026-12-24T09:30:00.000Z"],
  ["now+3days", "2026-12-27T08:30:00.000Z"],
  ["now+2h", "2026-12-24T10:30:00.000Z"],
  ["11:00", "2026-12-24T09:00:00.000Z"],
  ["10:00", "2026-12-25T08:00:00.000Z"],
  ["noon", "2026-12-24T10:00:00.000Z"],
  ["tomorrow", "2026-12-24T22:00:00.000Z"],
  ["2026-12-31", "2026-12-30T22:00:00.000Z"],
  ["2026-12-31T12:00:05", "2026-12-31T10:00:05.000Z"],
  ["2026-12-31T12:00:05Z", "2026-12-31T12:00:05.000Z"],
  ["2026-12-31T12:00:05+01:00", "2026-12-31T11:00:05.000Z"],
])("%s is %s", (text, moment) => expect(read(text)).toBe(moment));

test.each(["", "soon", "25:00", "2026-13-01", "now+", "now-1hour"])("%p is no moment", (text) => {
  expect(read(text)).toBe(`"${text}" is no moment`);
});
