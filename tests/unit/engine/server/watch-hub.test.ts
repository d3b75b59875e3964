/** Shows that watchers get what they want in order, and that one that reads too slowly is cut off. */
import { expect, test } from "bun:test";
import { nodeId } from "../../../../src/core/domain/ids.ts";
import type { StateEvent } from "../../../../src/core/state/events.ts";
import { WatchHub } from "../../../../src/engine/server/watch-hub.ts";

const event = (name: string): StateEvent => ({ kind: "assignments-changed", node: nodeId(name) });
const nameOf = (e: StateEvent) => (e.kind === "assignments-changed" ? e.node : e.kind);

test("events from the call on are yielded in order, also those before the first read", async () => {
  const hub = new WatchHub();
  const stop = new AbortController();
  hub.publish([event("before")]);
  const events = hub.watch((e) => e.kind === "assignments-changed" && e.node !== nodeId("other"), stop.signal);
  hub.publish([event("a"), event("other"), event("b")]);
  const seen: string[] = [];
  for await (const e of events) {
    seen.push(nameOf(e));
    if (seen.length === 2) hub.publish([event("c")]);
    if (seen.length === 3) stop.abort();
  }
  expect(seen).toEqual(["a", "b", "c"]);
  expect(hub.size).toBe(0);
});

test("a watcher that falls too far behind is told so, after what it had queued", async () => {
  const hub = new WatchHub();
  const events = hub.watch(() => true, new AbortController().signal);
  for (let i = 0; i < 10_001; i++) hub.publish([event("x")]);
  let count = 0;
  const read = async () => {
    for await (const _ of events) count++;
  };
  expect(read()).rejects.toMatchObject({ fault: { reason: "OVERLOADED" } });
  await read().catch(() => {});
  expect(count).toBe(10_000);
});

test("a watch that was given up before it began ends at once", async () => {
  const hub = new WatchHub();
  const seen: string[] = [];
  for await (const e of hub.watch(() => true, AbortSignal.abort())) seen.push(nameOf(e));
  expect([seen, hub.size]).toEqual([[], 0]);
});
