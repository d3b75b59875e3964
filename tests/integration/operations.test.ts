/** Operations over a whole server with real storage: what is acknowledged is there after a restart. */
import { afterEach, expect, test } from "bun:test";
import { millis } from "../../src/base/brand.ts";
import { allocationId, nodeId, userId } from "../../src/core/domain/ids.ts";
import { stateHash } from "../../src/core/state/state.ts";
import { cancelAllocation } from "../../src/engine/server/operations/change-allocation.ts";
import {
  explainAllocation,
  getAllocation,
  listAllocations,
} from "../../src/engine/server/operations/read-allocations.ts";
import { submit } from "../../src/engine/server/operations/submit-allocation.ts";
import type { Server } from "../../src/engine/server/server.ts";
import { aCall, addNode, startTestServer, type TestServer } from "../fixtures/test-server.ts";

const running: TestServer[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
});

const start = async (options = {}) => {
  const started = await startTestServer(options);
  running.push(started);
  return started;
};

const submitTrue = (server: Server, extra = {}) =>
  submit(server, aCall(), { kind: "single", request: { tenant: "default", entrypoint: "true", ...extra } });

const stateOf = async (server: Server, ref: string) => {
  const detail = await getAllocation(server, aCall(), ref);
  return detail.kind === "allocation" ? detail.allocation.state : detail.state;
};

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (await condition()) return;
    await Bun.sleep(10);
  }
  throw new Error("it did not happen within 5 s");
}

test("a submitted allocation waits with a reason, and is placed when a node comes", async () => {
  const { server } = await start();
  const { allocations } = await submitTrue(server);
  expect(allocations[0]?.shortId as number).toBe(1);
  await until(async () => (await explainAllocation(server, aCall(), "1")).reasons.length > 0);
  await addNode(server, "n1");
  await until(async () => (await stateOf(server, "1")) === "staging");
  await server.replica.propose(
    {
      kind: "record-reports",
      node: nodeId("n1"),
      reports: [
        {
          allocation: allocations[0]?.id ?? allocationId(""),
          attempt: 1,
          phase: "ended",
          exitCode: 3,
          cause: "exited",
        },
      ],
    },
    userId("system"),
  );
  expect(await stateOf(server, "1")).toBe("failed");
});

test("a restart finds every acknowledged change and the same state hash", async () => {
  const first = await start();
  await addNode(first.server, "n1");
  for (let i = 0; i < 50; i++) await submitTrue(first.server, { name: `job${i}` });
  await cancelAllocation(first.server, aCall(), "50");
  const hash = stateHash(first.server.replica.state);
  const { dir } = first;
  await first.stop(true);
  running.splice(running.indexOf(first), 1);
  const second = await start({ dir });
  expect(stateHash(second.server.replica.state)).toBe(hash);
  const listed = await listAllocations(second.server, aCall(), { filter: {}, page: { limit: 10, cursor: "" } });
  expect(listed.items).toHaveLength(10);
  expect(await stateOf(second.server, "50")).toBe("cancelled");
});

test("a repeated submit under one idempotency key gives the first ids; another request under it is refused", async () => {
  const { server } = await start();
  const call = { ...aCall(), idempotencyKey: "k1" };
  const request = { tenant: "default", entrypoint: "true" };
  const first = await submit(server, call, { kind: "single", request });
  const second = await submit(server, call, { kind: "single", request });
  expect(second.allocations).toEqual(first.allocations);
  const other = submit(server, call, { kind: "single", request: { ...request, entrypoint: "false" } });
  expect(other).rejects.toMatchObject({ fault: { reason: "IDEMPOTENCY_CONFLICT" } });
});

test("an array of a million tasks is one entry, and one task more is refused", async () => {
  const { server } = await start();
  const template = { tenant: "default", entrypoint: "true" };
  const range = (end: number) => [{ start: 1, end, step: 1 }];
  const { taskGroup } = await submit(server, aCall(), {
    kind: "task-group",
    template,
    ranges: range(1_000_000),
    concurrentMax: 0,
  });
  expect(taskGroup?.shortId as number).toBe(1);
  expect(server.replica.state.tables.allocations.size).toBe(256);
  const tooMany = submit(server, aCall(), { kind: "task-group", template, ranges: range(1_000_001), concurrentMax: 0 });
  expect(tooMany).rejects.toMatchObject({ fault: { reason: "TOO_LARGE" } });
});

test("ended allocations leave memory and stay readable", async () => {
  const { server } = await start({ settings: { endedInMemoryMax: 5 } });
  for (let i = 1; i <= 20; i++) {
    await submitTrue(server, { name: `job${i}` });
    await cancelAllocation(server, aCall(), String(i));
  }
  await until(() => server.replica.state.tables.allocations.size <= 5);
  expect(await stateOf(server, "1")).toBe("cancelled");
  const { items } = await listAllocations(server, aCall(), { filter: {}, page: { limit: 100, cursor: "" } });
  expect(items).toHaveLength(20);
  expect(millis(0) as number).toBe(0);
});

test("a cancel repeated under its key gives the first outcome, also when the allocation has left memory", async () => {
  const { server } = await start({ settings: { endedInMemoryMax: 1 } });
  const call = { ...aCall(), idempotencyKey: "once" };
  for (let i = 1; i <= 5; i++) await submitTrue(server);
  for (let i = 1; i <= 5; i++) await cancelAllocation(server, i === 1 ? call : aCall(), String(i));
  await until(() => server.replica.state.tables.allocations.size <= 1);
  await cancelAllocation(server, call, "1");
  expect(cancelAllocation(server, aCall(), "1")).rejects.toMatchObject({ fault: { reason: "ILLEGAL_TRANSITION" } });
});
