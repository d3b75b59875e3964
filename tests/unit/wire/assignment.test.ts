/** The agent's stream survives the wire: whatever one end writes the other reads back, and nonsense is refused. */
import { describe, expect, test } from "bun:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { millis } from "../../../src/base/brand.ts";
import type { Assignment, Work, WorkloadReport } from "../../../src/core/domain/assignment.ts";
import { allocationId, dagId, nodeId, shortId, taskGroupId, userId } from "../../../src/core/domain/ids.ts";
import { AgentMessageSchema, ServerMessageSchema } from "../../../src/gen/lattice/v1/agent_pb.ts";
import type { AgentHello, AgentMessage, ServerMessage } from "../../../src/ports/agent-link.ts";
import {
  agentMessageFromProto,
  agentMessageToProto,
  helloFromProto,
  helloToProto,
  serverMessageFromProto,
  serverMessageToProto,
  WorkMemory,
} from "../../../src/wire/assignment.ts";
import { logErrorToProto, logPieceFromProto, logPieceToProto } from "../../../src/wire/log-piece.ts";
import { aSpec, aWork } from "../../fixtures/works.ts";

const NODE = nodeId("n1");
const id = fc.uuid().map(allocationId);
const count = fc.nat({ max: 2 ** 31 - 1 });
const large = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const moment = fc.nat({ max: 4_000_000_000_000 }).map(millis);
const text = fc.string({ unit: "grapheme" });
const word = fc.string({ minLength: 1, maxLength: 20 });

const program: fc.Arbitrary<Work["spec"]["program"]> = fc.oneof(
  fc.record({ kind: fc.constant("entrypoint" as const), command: text }),
  fc.record({ kind: fc.constant("script" as const), text: word }),
  fc.record({ kind: fc.constant("argv" as const), argv: fc.array(text, { minLength: 1 }) }),
);

const task = fc.record({
  group: fc.uuid().map(taskGroupId),
  groupShortId: large.map(shortId),
  index: count,
  range: fc.record({ start: count, end: count, step: count }),
  count,
});

/** Only the fields that travel vary: the others are the servers' own. */
const work: fc.Arbitrary<Work> = fc
  .record({ program, env: fc.dictionary(word, text), workdir: text, stdoutPath: text, stderrPath: text })
  .chain((spec) =>
    fc.record(
      {
        shortId: large.map(shortId),
        user: word.map(userId),
        spec: fc
          .record({ isSensitive: fc.boolean(), isolation: fc.constantFrom("stop" as const, "rerun" as const) })
          .map((more) => aSpec({ ...spec, ...more })),
        claim: fc.constant(aWork().claim),
        nodeIds: fc.constant([NODE]),
        runsHere: fc.boolean(),
        requeueCount: count,
        setsSlurmEnv: fc.boolean(),
        task,
        dag: fc.uuid().map(dagId),
      },
      {
        requiredKeys: ["shortId", "user", "spec", "claim", "nodeIds", "runsHere", "requeueCount", "setsSlurmEnv"],
      },
    ),
  );

const action: fc.Arbitrary<Assignment["action"]> = fc.oneof(
  fc.constantFrom({ kind: "prepare" as const }, { kind: "run" as const }),
  fc
    .constantFrom("cancelled", "walltime", "node_failed", "part_failed", "dependency", "head_ended")
    .map((reason) => ({ kind: "stop" as const, reason: reason as "cancelled" })),
);

const report: fc.Arbitrary<WorkloadReport> = fc.record(
  {
    allocation: id,
    attempt: count,
    phase: fc.constantFrom("ready" as const, "running" as const, "ended" as const),
    exitCode: fc.integer({ min: 0, max: 255 }),
    signal: fc.integer({ min: 1, max: 64 }),
    cause: fc.constantFrom("exited" as const, "walltime" as const, "isolated" as const, "out_of_memory" as const),
    detail: word,
  },
  { requiredKeys: ["allocation", "attempt", "phase"] },
);

const fence = fc.record({ clusterId: fc.string(), restoreEpoch: large, term: large, index: large });

/** An assignment as it is after one trip: the limit also stands in the spec. */
const sent = (message: ServerMessage, memory: WorkMemory) =>
  fromBinary(ServerMessageSchema, toBinary(ServerMessageSchema, serverMessageToProto(message, memory)));

/** Left out, or there with a value that says something. */
const NODE_KINDS = {
  conformance: text.filter((value) => value !== ""),
  hasUnifiedMemory: fc.constant(true),
  cxlMemoryBytes: large.filter((value) => value > 0),
  powerWatts: count.filter((value) => value > 0),
};

describe("agent to server", () => {
  test("a hello is read as it was written", () => {
    const hello: fc.Arbitrary<AgentHello> = fc.record({
      registration: fc.record({
        nodeId: word.map(nodeId),
        instanceId: word,
        agentVersion: text,
        address: text,
        capacity: fc.record(
          {
            cpus: count,
            memoryBytes: large,
            gpuMilli: fc.nat({ max: 1_000 }).map((n) => n * 1_000),
            gpuType: text,
            features: fc.array(text),
            group: count,
            ...NODE_KINDS,
          },
          { requiredKeys: ["cpus", "memoryBytes", "gpuMilli", "gpuType", "features", "group"] },
        ),
      }),
      fence,
      workloads: fc.array(report),
      clock: moment,
    });
    fc.assert(fc.property(hello, (value) => expect(helloFromProto(helloToProto(value))).toEqual(value)));
  });

  test("heartbeats and reports are read as they were written", () => {
    const message: fc.Arbitrary<AgentMessage> = fc.oneof(
      fc.record({ kind: fc.constant("heartbeat" as const), sequence: large, clock: moment, issues: fc.array(text) }),
      fc.record({ kind: fc.constant("reports" as const), sequence: large, workloads: fc.array(report) }),
    );
    fc.assert(
      fc.property(message, (value) => expect(agentMessageFromProto(agentMessageToProto(value))).toEqual(value)),
    );
  });

  test("a stream that does not begin with a complete hello is refused", () => {
    const heartbeat = agentMessageToProto({ kind: "heartbeat", sequence: 1, clock: millis(0), issues: [] });
    expect(() => helloFromProto(heartbeat)).toThrow("must be hello");
    const hello = create(AgentMessageSchema, { message: { case: "hello", value: { nodeId: "n1" } } });
    expect(() => helloFromProto(hello)).toThrow("no instance_id");
    expect(() => agentMessageFromProto(hello)).toThrow("only be the first");
  });

  test("a message of a later version is passed over, an unknown phase is refused", () => {
    expect(agentMessageFromProto(create(AgentMessageSchema, {}))).toBeUndefined();
    const reports = { workloads: [{ allocationId: "a", phase: "dancing" }] };
    const proto = create(AgentMessageSchema, { message: { case: "reports", value: reports } });
    expect(() => agentMessageFromProto(proto)).toThrow('unknown phase "dancing" of a');
  });
});

describe("server to agent", () => {
  test("desired sets are read as they were written, though each work travels once", () => {
    const assignment = fc.record({
      allocation: id,
      attempt: count,
      action,
      walltimeMs: large.map(millis),
      work: work.map(({ spec, ...rest }) => ({
        ...rest,
        spec: { ...spec, resources: { ...spec.resources, perNode: { cpus: 1, memoryBytes: 0, gpuMilli: 0 } } },
      })),
    });
    const sets = fc.array(fc.record({ fence, assignments: fc.array(assignment) }), { minLength: 1 });
    fc.assert(
      fc.property(sets, (desiredSets) => {
        const [writer, reader] = [new WorkMemory(), new WorkMemory()];
        for (const desired of [...desiredSets, ...desiredSets.slice(-1)]) {
          const message = { kind: "desired" as const, desired };
          expect(serverMessageFromProto(sent(message, writer), reader, NODE)).toEqual(message);
        }
        const repeated = sent(
          { kind: "desired", desired: desiredSets.at(-1) ?? { fence: writer0, assignments: [] } },
          writer,
        );
        expect(JSON.stringify(repeated.message.value, replaceBigints)).not.toContain('"work":{');
      }),
      { numRuns: 50 },
    );
  });

  test("the other messages are read as they were written", () => {
    const messages: readonly ServerMessage[] = [
      { kind: "welcome", serverVersion: "1", heartbeatIntervalMs: 10_000, isolationGraceMs: 120_000 },
      { kind: "heartbeat-reply", sequence: 3 },
      { kind: "reports-committed", sequence: 2 ** 40 },
      { kind: "log-cancel", requestId: "r" },
      {
        kind: "log-request",
        request: {
          requestId: "r",
          allocation: allocationId("a"),
          attempt: 2,
          streams: ["stderr"],
          offset: 2 ** 40,
          length: 5,
          isFollowing: true,
          tailLines: 9,
        },
      },
    ];
    for (const message of messages) {
      expect(serverMessageFromProto(sent(message, new WorkMemory()), new WorkMemory(), NODE)).toEqual(message);
    }
  });

  test("an assignment without its work, with an unknown action or stop reason is refused", () => {
    const read = (assignment: Record<string, unknown>) => () =>
      serverMessageFromProto(
        create(ServerMessageSchema, { message: { case: "desired", value: { assignments: [assignment] } } }),
        new WorkMemory(),
        NODE,
      );
    expect(read({ allocationId: "a", attempt: 1, action: "run" })).toThrow("a attempt 1 comes without its work");
    expect(read({ allocationId: "a", action: "dance", work: {} })).toThrow('unknown action "dance"');
    expect(read({ allocationId: "a", action: "stop", stopReason: "whim", work: {} })).toThrow("unknown stop reason");
  });
});

test("output is read as it was written, and an agent's refusal is thrown", () => {
  const piece = { stream: "stderr" as const, offset: 2 ** 40, data: Uint8Array.of(0, 255), at: millis(1_234) };
  const origin = { requestId: "r", nodeId: "n1", attempt: 1 };
  expect(logPieceFromProto(logPieceToProto(piece, origin))).toEqual(piece);
  expect(logPieceFromProto(logErrorToProto("r", ""))).toBeUndefined();
  expect(() => logPieceFromProto(logErrorToProto("r", "no such file"))).toThrow("no such file");
});

const writer0 = { clusterId: "", restoreEpoch: 0, term: 0, index: 0 };
const replaceBigints = (_key: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);
