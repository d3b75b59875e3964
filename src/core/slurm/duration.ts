/** Reads spans of time: every form that Slurm takes, and `90s`, `30m`, `2h30m`, `7d`. */
import type { Millis } from "../../base/brand.ts";
import { millis } from "../../base/brand.ts";
import type { Result } from "../../base/result.ts";
import { ok } from "../../base/result.ts";
import type { Fault } from "../domain/errors.ts";
import { refuse } from "../domain/errors.ts";

const CLOCK = /^(\d{1,9})(?::(\d{1,9}))?(?::(\d{1,9}))?$/;
const DAYS = /^(\d{1,6})-(\d{1,6})(?::(\d{1,6}))?(?::(\d{1,6}))?$/;
const UNITS = /^(?=\d)(?:(\d{1,6})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?$/i;
const UNLIMITED = /^(?:unlimited|infinite|infinity)$/i;

/** Days, hours, minutes, seconds. */
type Span = readonly [number, number, number, number];

const spanMs = ([days, hours, minutes, seconds]: Span): Millis =>
  millis((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000);

/** Returns the span in milliseconds; UNLIMITED and 0 give 0. A bare number counts `bare`. */
export function parseDuration(text: string, bare: "minutes" | "seconds" = "minutes"): Result<Millis, Fault> {
  if (UNLIMITED.test(text)) return ok(millis(0));
  const clock = CLOCK.exec(text);
  if (clock) {
    const [a = 0, b, c] = clock.slice(1).map((part) => (part === undefined ? undefined : Number(part)));
    if (c !== undefined) return ok(spanMs([0, a, b ?? 0, c]));
    if (b !== undefined) return ok(spanMs([0, 0, a, b]));
    return ok(spanMs(bare === "minutes" ? [0, 0, a, 0] : [0, 0, 0, a]));
  }
  const match = DAYS.exec(text) ?? UNITS.exec(text);
  if (match) {
    const [days = 0, hours = 0, minutes = 0, seconds = 0] = match.slice(1).map((part) => Number(part ?? 0));
    return ok(spanMs([days, hours, minutes, seconds]));
  }
  return refuse("INVALID_SPEC", `"${text}" is not a time: write minutes, M:S, H:M:S, D-H:M:S, 2h30m or UNLIMITED`);
}

/** Returns the span as Slurm prints it: `1-02:03:04`, `02:03:04`, or UNLIMITED for 0. */
export function formatWalltime(ms: number): string {
  return ms === 0 ? "UNLIMITED" : formatElapsed(ms);
}

/** Returns `D-HH:MM:SS`, or `HH:MM:SS` below a day. */
export function formatElapsed(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1000));
  const two = (n: number) => String(n).padStart(2, "0");
  const clock = `${two(Math.floor(total / 3600) % 24)}:${two(Math.floor(total / 60) % 60)}:${two(total % 60)}`;
  const days = Math.floor(total / 86_400);
  return days > 0 ? `${days}-${clock}` : clock;
}
