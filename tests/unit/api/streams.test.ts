/** Shows how streams behave: output cut into lines, events with errors and ends, an outbox that gives up a slow reader. */
import { expect, test } from "bun:test";
import { Outbox } from "../../../src/api/connect/outbox.ts";
import { byteStream, eventStream, type ServerSentEvent } from "../../../src/api/rest/event-stream.ts";
import { textLines } from "../../../src/api/rest/log-lines.ts";
import { millis } from "../../../src/base/brand.ts";
import type { LogLine } from "../../../src/core/domain/detail.ts";
import { fault, LatticeError } from "../../../src/core/domain/errors.ts";
import { nodeId } from "../../../src/core/domain/ids.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const piece = (data: Uint8Array, fields: Partial<LogLine> = {}): LogLine => ({
  node: nodeId("n1"),
  stream: "stdout",
  attempt: 1,
  offset: 0,
  data,
  at: millis(0),
  ...fields,
});

async function* from<T>(...items: readonly T[]): AsyncIterable<T> {
  yield* items;
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

test("lines are put together per stream and node, whatever the pieces, and the rest comes last", async () => {
  const lines = await collect(
    textLines(
      from(
        piece(bytes("one\ntw")),
        piece(bytes("err\r\n"), { stream: "stderr" }),
        piece(bytes("other"), { node: nodeId("n2") }),
        piece(bytes("o\n\nrest")),
      ),
    ),
  );
  expect(lines.map((l) => [l.node_id, l.stream, l.line])).toEqual([
    ["n1", "stdout", "one"],
    ["n1", "stderr", "err"],
    ["n1", "stdout", "two"],
    ["n1", "stdout", ""],
    ["n1", "stdout", "rest"],
    ["n2", "stdout", "other"],
  ]);
});

test("a character that two pieces share survives, and a line without an end is given out in time", async () => {
  const euro = bytes("€\n");
  const split = await collect(textLines(from(piece(euro.slice(0, 1)), piece(euro.slice(1)))));
  expect(split.map((l) => l.line)).toEqual(["€"]);
  const long = await collect(textLines(from(piece(bytes("x".repeat(70_000))), piece(bytes("y")))));
  expect(long.map((l) => l.line.length)).toEqual([70_000, 1]);
});

function setting() {
  const timers: (() => void)[] = [];
  const state = { aborted: 0, timers };
  return {
    state,
    setting: {
      clock: {
        now: () => millis(0),
        monotonic: () => 0,
        after: () => () => {},
        every: (_: number, callback: () => void) => {
          timers.push(callback);
          return () => timers.splice(0);
        },
      },
      abort: () => {
        state.aborted += 1;
      },
      faultOf: () => fault("AGENT_UNREACHABLE", "gone", "look"),
      shutdown: new AbortController().signal,
    },
  };
}

test("events are written with name, id and data between comments, and the producer is ended", async () => {
  const { state, setting: s } = setting();
  const response = eventStream(from<ServerSentEvent>({ event: "log", id: "7", data: { a: "x\ny" } }), s);
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  expect(await response.text()).toBe(': still here\n\nevent: log\nid: 7\ndata: {"a":"x\\ny"}\n\n');
  expect(state).toEqual({ aborted: 1, timers: [] });
});

test("an error in the middle is the last event", async () => {
  async function* failing(): AsyncIterable<ServerSentEvent> {
    yield { event: "log", data: 1 };
    throw new LatticeError(fault("AGENT_UNREACHABLE", "gone"));
  }
  const text = await eventStream(failing(), setting().setting).text();
  expect(text).toEndWith('event: error\ndata: {"error":"gone","code":"AGENT_UNREACHABLE","next":"look"}\n\n');
});

test("a reader that goes away ends the producer and the comments", async () => {
  const { state, setting: s } = setting();
  async function* quiet(): AsyncIterable<ServerSentEvent> {
    yield { event: "log", data: 1 };
    await new Promise(() => {});
  }
  const reader = eventStream(quiet(), s).body?.getReader();
  await reader?.read();
  expect(state.timers).toHaveLength(1);
  void reader?.cancel();
  expect(state).toEqual({ aborted: 1, timers: [] });
});

test("bytes that cannot be read at all are an error, not a stream", async () => {
  async function* failing(): AsyncIterable<Uint8Array> {
    yield* [];
    throw new LatticeError(fault("LOGS_NOT_AVAILABLE", "it has not run"));
  }
  expect(byteStream(failing(), "text/plain", () => {})).rejects.toThrow("it has not run");
  expect(await (await byteStream(from(bytes("a"), bytes("b")), "text/plain", () => {})).text()).toBe("ab");
  expect(await (await byteStream(from(), "text/plain", () => {})).text()).toBe("");
});

test("an outbox gives messages in order, then its end", async () => {
  const outbox = new Outbox<number>();
  outbox.push(1);
  const all = collect(outbox.read());
  await Promise.resolve();
  outbox.push(2);
  outbox.end();
  outbox.push(3);
  expect(await all).toEqual([1, 2]);
});

test("an outbox whose reader is too slow ends with the reason", async () => {
  const outbox = new Outbox<number>();
  for (let i = 0; i <= 10_000; i++) outbox.push(i);
  expect(collect(outbox.read())).rejects.toThrow("10000 messages behind");
});
