/**
 * Reads moments as Slurm takes them for --begin and --deadline: `now+2h`, `16:00`, `today`,
 * `midnight`, `noon`, `2026-12-24T08:00`, and RFC 3339 with its zone. What names no zone is
 * in the one given.
 */
import type { Millis } from "../../base/brand.ts";
import { millis } from "../../base/brand.ts";
import type { Result } from "../../base/result.ts";
import { ok } from "../../base/result.ts";
import type { Fault } from "../domain/errors.ts";
import { refuse } from "../domain/errors.ts";
import { parseDuration } from "./duration.ts";

/** What a moment is read against. */
export interface Wall {
  readonly now: Millis;
  /** How far the zone is ahead of UTC. */
  readonly zoneMs: number;
}

const DAY_MS = 86_400_000;
const AFTER_NOW = /^now(?:\+(\d+)([a-z]*))?$/i;
const CLOCK = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/;
const DATE = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?(Z|[+-]\d{2}:\d{2})?$/;
const CLOCK_WORDS: Readonly<Record<string, string>> = { midnight: "00:00", noon: "12:00", teatime: "16:00" };
const UNIT_MS: Readonly<Record<string, number>> = {
  "": 1_000,
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: DAY_MS,
  week: 7 * DAY_MS,
};

/** Returns the moment that `text` names. */
export function parseMoment(text: string, wall: Wall): Result<Millis, Fault> {
  const word = text.trim().toLowerCase();
  const at = afterNow(word, wall) ?? onTheClock(CLOCK_WORDS[word] ?? word, wall) ?? onTheDay(text.trim(), wall);
  if (at !== undefined) return ok(millis(at));
  const next = "write 2026-12-24T08:00, 08:00, now+2h, today, tomorrow, midnight or noon";
  return refuse("INVALID_SPEC", `"${text}" is no moment`, next);
}

function afterNow(word: string, { now, zoneMs }: Wall): number | undefined {
  if (word === "today") return now;
  if (word === "tomorrow") return startOfDay(now, zoneMs) + DAY_MS;
  const match = AFTER_NOW.exec(word);
  if (!match) return undefined;
  const [, count, unit = ""] = match;
  if (count === undefined) return now;
  const unitMs = UNIT_MS[unit.replace(/s$/, "")];
  if (unitMs !== undefined) return now + Number(count) * unitMs;
  const span = parseDuration(`${count}${unit}`);
  return span.ok ? now + span.value : undefined;
}

/** The next time that the clock shows it. */
function onTheClock(text: string, { now, zoneMs }: Wall): number | undefined {
  const match = CLOCK.exec(text);
  if (!match) return undefined;
  const [hours = 0, minutes = 0, seconds = 0] = match.slice(1).map((part) => Number(part ?? 0));
  if (hours > 23 || minutes > 59 || seconds > 59) return undefined;
  const at = startOfDay(now, zoneMs) + ((hours * 60 + minutes) * 60 + seconds) * 1_000;
  return at >= now ? at : at + DAY_MS;
}

function onTheDay(text: string, { zoneMs }: Wall): number | undefined {
  const match = DATE.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hours = "00", minutes = "00", seconds = "00", zone] = match;
  const at = Date.parse(`${year}-${month}-${day}T${hours}:${minutes}:${seconds}${zone ?? "Z"}`);
  if (Number.isNaN(at)) return undefined;
  return zone === undefined ? at - zoneMs : at;
}

const startOfDay = (now: number, zoneMs: number): number => Math.floor((now + zoneMs) / DAY_MS) * DAY_MS - zoneMs;
