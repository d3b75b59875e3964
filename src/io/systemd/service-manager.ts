/**
 * What this process tells systemd (sd_notify(3)): ready, reloading, stopping, and that it is
 * alive. Without systemd nothing is told. What systemd says in the environment is taken
 * out of it, so that no process started from here speaks for this one.
 */
import type { Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/log.ts";
import { openUnixDatagrams, type UnixDatagrams } from "./unix-datagram.ts";

/** How often within the time that systemd allows. */
const PETS = 3;
const MICROSECONDS = 1000;

/** What the watchdog needs. */
export interface SupervisedParts {
  readonly clock: Clock;
  readonly log: Logger;
  /** Asked before each sign of life: whether everything that must answer has done so within the last `withinMs`. */
  readonly isAlive: (withinMs: number) => boolean;
}

/** Tells systemd how this process is. */
export interface ServiceManager {
  /** It does its work from here on, as `status` says; signs of life begin. */
  ready(status: string): void;
  /** It reads its configuration anew; `ready` says when that is done. */
  reloading(): void;
  /** It ends. */
  stopping(): void;
}

type Environment = Record<string, string | undefined>;

/** Returns how to tell systemd, by what it has put into `env`. */
export function serviceManager(
  env: Environment,
  parts: SupervisedParts,
  open: () => UnixDatagrams = openUnixDatagrams,
): ServiceManager {
  const socket = take(env, "NOTIFY_SOCKET");
  const watchdogMs = watchdogOf(env);
  if (!socket) return { ready() {}, reloading() {}, stopping() {} };
  const datagrams = open();
  const tell = (...lines: readonly string[]): void => {
    if (!datagrams.send(socket, `${lines.join("\n")}\n`)) parts.log.warn("systemd cannot be told", { lines });
  };
  let isWatched = watchdogMs === 0;
  return {
    ready(status) {
      tell("READY=1", `STATUS=${status}`);
      if (!isWatched) pet({ ...parts, watchdogMs, tell: () => tell("WATCHDOG=1") });
      isWatched = true;
    },
    reloading: () => tell("RELOADING=1", `MONOTONIC_USEC=${datagrams.monotonicMicros()}`),
    stopping: () => tell("STOPPING=1", "STATUS=stopping"),
  };
}

/** A process that hangs gives no sign, and one of whose parts hangs gives none either: systemd then ends and restarts it. */
function pet(watch: SupervisedParts & { readonly watchdogMs: number; readonly tell: () => void }): void {
  const { clock, log, isAlive, watchdogMs, tell } = watch;
  clock.every(watchdogMs / PETS, () => {
    if (isAlive(watchdogMs / PETS)) tell();
    else log.error("no sign of life is given to systemd: a part of this process does not answer");
  });
}

/** Returns the time within which systemd wants a sign, in milliseconds; 0 when it wants none of this process. */
function watchdogOf(env: Environment): number {
  const micros = Number(take(env, "WATCHDOG_USEC") ?? 0);
  const pid = take(env, "WATCHDOG_PID");
  if (pid !== undefined && pid !== String(process.pid)) return 0;
  return Number.isFinite(micros) && micros > 0 ? micros / MICROSECONDS : 0;
}

function take(env: Environment, name: string): string | undefined {
  const value = env[name];
  delete env[name];
  return value;
}
