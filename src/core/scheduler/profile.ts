/**
 * How many nodes of a class are idle from now on, as a step function of time: known ends
 * give nodes back, what is placed or promised takes them. Nodes of a class are alike, so
 * counts are exact: whatever holds at every moment by count can be given real nodes then.
 */
import { assert } from "../../base/assert.ts";
import { compareNumber } from "../../base/compare.ts";

/** From `times[i]` until the next time, `free[i]` nodes are idle. The first time is now, the last step never ends. */
export interface Profile {
  readonly times: number[];
  readonly free: number[];
}

/** Nodes that become idle at a time, or never when it is infinite. */
export interface Release {
  readonly at: number;
  count: number;
}

/** A number of nodes from one time until another, which may be infinite. */
export interface Span {
  readonly from: number;
  readonly until: number;
  readonly count: number;
}

/** Returns the profile of `idle` nodes and those that are released later, in any order. */
export function createProfile(now: number, idle: number, releases: readonly Release[]): Profile {
  const times = [now];
  const free = [idle];
  let count = idle;
  for (const release of releases.toSorted((a, b) => compareNumber(a.at, b.at))) {
    if (release.at === Number.POSITIVE_INFINITY) break;
    count += release.count;
    if (times[times.length - 1] === release.at) free[free.length - 1] = count;
    else {
      times.push(release.at);
      free.push(count);
    }
  }
  return { times, free };
}

/** Returns the least number of idle nodes from `from` until `until`. */
export function leastFree({ times, free }: Profile, from: number, until: number): number {
  let at = stepAt(times, from);
  let least = free[at] ?? 0;
  for (at++; at < times.length && (times[at] ?? until) < until; at++) {
    const count = free[at] ?? 0;
    if (count < least) least = count;
  }
  return least;
}

/** Takes nodes for a span. There must be as many at every moment of it. */
export function takeSpan(profile: Profile, { from, until, count }: Span): void {
  if (count === 0 || from >= until) return;
  const first = stepFrom(profile, from);
  const end = until === Number.POSITIVE_INFINITY ? profile.times.length : stepFrom(profile, until);
  for (let at = first; at < end; at++) {
    const left = (profile.free[at] ?? 0) - count;
    assert(left >= 0, "more nodes are promised than will be idle");
    profile.free[at] = left;
  }
}

/** Returns the earliest time from which `count` nodes are idle for `span`, or undefined when none is certain. */
export function earliestFit({ times, free }: Profile, count: number, span: number): number | undefined {
  let at = 0;
  while (at < times.length) {
    if ((free[at] ?? 0) < count) {
      at++;
      continue;
    }
    const start = times[at] ?? 0;
    let next = at + 1;
    while (next < times.length && (times[next] ?? 0) < start + span && (free[next] ?? 0) >= count) next++;
    if (next === times.length || (times[next] ?? 0) >= start + span) return start;
    at = next + 1;
  }
  return undefined;
}

/** Returns the place of the step that holds at `time`, which is not before now. */
function stepAt(times: readonly number[], time: number): number {
  let low = 0;
  let high = times.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? time) <= time) low = middle;
    else high = middle;
  }
  return low;
}

/** Returns the place of the step that begins at `time`, which is made where there is none. */
function stepFrom({ times, free }: Profile, time: number): number {
  const at = stepAt(times, time);
  if (times[at] === time) return at;
  times.splice(at + 1, 0, time);
  free.splice(at + 1, 0, free[at] ?? 0);
  return at + 1;
}
