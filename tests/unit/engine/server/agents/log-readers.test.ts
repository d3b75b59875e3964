/** Shows how many streams of output a user holds at a time, and that one that ends, however it ends, makes room. */
import { expect, test } from "bun:test";
import { userId } from "../../../../../src/core/domain/ids.ts";
import { holdLogReader } from "../../../../../src/engine/server/agents/log-readers.ts";
import type { Call } from "../../../../../src/engine/server/call.ts";
import { TEST_SETTINGS } from "../../../../fixtures/test-server.ts";

function aReader(user: string) {
  const gone = new AbortController();
  const call: Call = { principal: { user: userId(user), role: "User" }, requestId: "r", signal: gone.signal };
  return { call, gone };
}

test("a user holds so many streams at a time and no more; one that ends, or whose caller goes, makes room", () => {
  const server = { settings: { ...TEST_SETTINGS, logStreamsMax: 2 } };
  const [a, b, c] = [aReader("ann"), aReader("ann"), aReader("ann")];
  const release = holdLogReader(server, a.call);
  holdLogReader(server, b.call);
  expect(() => holdLogReader(server, c.call)).toThrow("ann reads 2 outputs at a time");
  holdLogReader(server, aReader("bob").call);
  release();
  release();
  holdLogReader(server, c.call);
  expect(() => holdLogReader(server, aReader("ann").call)).toThrow();
  b.gone.abort();
  holdLogReader(server, aReader("ann").call);
});
