/**
 * Names of backups and where they may lie. A request names a backup by its file name,
 * alone or behind the configured location: nothing else is ever opened.
 */
import type { Millis } from "../../base/brand.ts";
import { millis } from "../../base/brand.ts";
import { compareText } from "../../base/compare.ts";
import type { Result } from "../../base/result.ts";
import { ok } from "../../base/result.ts";
import type { Fault } from "../domain/errors.ts";
import { refuse } from "../domain/errors.ts";

const NAME = /^backup-(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z\.tar\.gz$/;

/** Returns the name of a backup made at a time, which counts to the second. */
export function backupName(at: Millis): string {
  const text = new Date(at).toISOString();
  return `backup-${text.slice(0, 19).replaceAll("-", "").replaceAll(":", "")}Z.tar.gz`;
}

/** Returns when a backup of this name was made, or undefined when it is no backup's name. */
export function backupTime(name: string): Millis | undefined {
  const [, year, month, day, hour, minute, second] = NAME.exec(name)?.map(Number) ?? [];
  if (year === undefined || month === undefined) return undefined;
  const at = millis(Date.UTC(year, month - 1, day, hour, minute, second));
  return backupName(at) === name ? at : undefined;
}

/**
 * Returns the file name in a request for a backup: the name itself, or the location with
 * the name behind it. Invariant INV-B1: a request opens nothing outside the location.
 */
export function nameInRequest(location: string, path: string): Result<string, Fault> {
  const base = location.replace(/\/+$/, "");
  const name = path.startsWith(`${base}/`) ? path.slice(base.length + 1) : path;
  if (backupTime(name) !== undefined) return ok(name);
  const next = `name a backup in ${base}, such as ${base}/backup-20260305T120000Z.tar.gz`;
  return refuse("INVALID_SPEC", `${JSON.stringify(path)} is no backup in ${base}`, next);
}

/** Returns the path that people use for a backup. */
export const backupPath = (location: string, name: string): string => `${location.replace(/\/+$/, "")}/${name}`;

/** Returns the names that retention removes: all but the `keep` newest. */
export function surplusBackups(names: readonly string[], keep: number): readonly string[] {
  const backups = names.filter((name) => backupTime(name) !== undefined);
  return backups.sort((a, b) => compareText(b, a)).slice(keep);
}
