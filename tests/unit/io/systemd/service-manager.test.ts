/**
 * Shows what systemd is told, when a sign of life is given and when it is not, that nothing
 * of systemd stays in the environment, and that the address of a socket is laid out as the
 * kernel reads it.
 */
import { expect, test } from "bun:test";
import { millis } from "../../../../src/base/brand.ts";
import { createJsonLogger } from "../../../../src/io/json-logger.ts";
import { serviceManager } from "../../../../src/io/systemd/service-manager.ts";
import { socketAddress } from "../../../../src/io/systemd/unix-datagram.ts";

interface Timer {
  readonly periodMs: number;
  readonly fire: () => void;
}

function bench(env: Record<string, string | undefined>, isAlive = (_withinMs: number) => true) {
  const told: string[] = [];
  const logged: string[] = [];
  const timers: Timer[] = [];
  const clock = {
    now: () => millis(0),
    monotonic: () => 0,
    after: () => () => {},
    every(periodMs: number, fire: () => void) {
      timers.push({ periodMs, fire });
      return () => {};
    },
  };
  const log = createJsonLogger((line) => logged.push(line), "info");
  const datagrams = {
    send: (address: string, text: string) => told.push(`${address} ${text}`) > 0,
    monotonicMicros: () => 42n,
  };
  const manager = serviceManager(env, { clock, log, isAlive }, () => datagrams);
  return { manager, told, logged, timers, env, clock, log, isAlive };
}

const SYSTEMD = { NOTIFY_SOCKET: "/run/notify", WATCHDOG_USEC: "60000000", WATCHDOG_PID: String(process.pid) };

test("ready, reloading and stopping are told in systemd's words, and the environment is clean", () => {
  const { manager, told, env } = bench({ ...SYSTEMD, PATH: "/bin" });
  manager.ready("listening");
  manager.reloading();
  manager.ready("listening");
  manager.stopping();
  expect(told).toEqual([
    "/run/notify READY=1\nSTATUS=listening\n",
    "/run/notify RELOADING=1\nMONOTONIC_USEC=42\n",
    "/run/notify READY=1\nSTATUS=listening\n",
    "/run/notify STOPPING=1\nSTATUS=stopping\n",
  ]);
  expect(env).toEqual({ PATH: "/bin" });
});

test("signs of life are given three times within the time of the watchdog, once ready", () => {
  const { manager, told, timers } = bench({ ...SYSTEMD });
  expect(timers).toEqual([]);
  manager.ready("listening");
  manager.ready("listening");
  expect(timers.map(({ periodMs }) => periodMs)).toEqual([20_000]);
  timers[0]?.fire();
  expect(told.at(-1)).toBe("/run/notify WATCHDOG=1\n");
});

test("while a part does not answer no sign is given, and the log says so", () => {
  let isAnswering = true;
  const { manager, told, timers, logged } = bench({ ...SYSTEMD }, (withinMs) => withinMs === 20_000 && isAnswering);
  manager.ready("listening");
  timers[0]?.fire();
  isAnswering = false;
  timers[0]?.fire();
  expect(told.filter((text) => text.includes("WATCHDOG"))).toHaveLength(1);
  expect(logged.join("")).toContain("does not answer");
});

test("a watchdog meant for another process, or none, asks for nothing", () => {
  for (const env of [{ ...SYSTEMD, WATCHDOG_PID: "1" }, { NOTIFY_SOCKET: "/run/notify" }]) {
    const { manager, timers } = bench(env);
    manager.ready("listening");
    expect(timers).toEqual([]);
  }
});

test("without systemd nothing is told and nothing is opened", () => {
  const manager = serviceManager({}, bench({}), () => {
    throw new Error("opened");
  });
  manager.ready("listening");
  manager.stopping();
});

test("an address is the family, then the path or an abstract name, then zero", () => {
  expect([...socketAddress("/a")]).toEqual([1, 0, 47, 97, 0]);
  expect([...socketAddress("@a")]).toEqual([1, 0, 0, 97]);
  expect(() => socketAddress("/".repeat(108))).toThrow("no address");
});
