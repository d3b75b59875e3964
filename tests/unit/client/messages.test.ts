/** Shows the JSON form of messages: names of the contract, every list present, counts as numbers. */
import { expect, test } from "bun:test";
import { create } from "@bufbuild/protobuf";
import { messageToJson } from "../../../src/client/messages.ts";
import { AllocationStatusSchema } from "../../../src/gen/lattice/v1/allocations_pb.ts";

test("64-bit integers are numbers while they are exact, also inside lists and messages", () => {
  const status = create(AllocationStatusSchema, {
    shortId: 12n,
    version: 2n ** 60n,
    createdAt: { seconds: 1n },
    walltime: { seconds: 90n },
    parts: [{ nodeId: "n1", memoryBytes: 4096n }],
    spec: { resources: { memoryBytesPerNode: 7n }, tags: { a: "1" } },
  });
  expect(messageToJson(status)).toMatchObject({
    short_id: 12,
    version: "1152921504606846976",
    created_at: "1970-01-01T00:00:01Z",
    walltime: "90s",
    reasons: [],
    parts: [{ node_id: "n1", memory_bytes: 4096 }],
    spec: { resources: { memory_bytes_per_node: 7 }, tags: { a: "1" } },
  });
});
