/** Shows how messages are read that say little: absent and zero mean "not said", and what must be there is asked for. */
import { expect, test } from "bun:test";
import { create } from "@bufbuild/protobuf";
import { AllocationSpecSchema, SubmitRequestSchema } from "../../../src/gen/lattice/v1/allocations_pb.ts";
import { allocationRequestFromProto } from "../../../src/wire/allocation-spec.ts";
import { submissionFromProto } from "../../../src/wire/submission.ts";

test("an empty spec asks for nothing, so that directives and defaults apply", () => {
  expect(allocationRequestFromProto(create(AllocationSpecSchema))).toEqual({});
  const empty = create(AllocationSpecSchema, { resources: {}, lifecycle: {} });
  expect(allocationRequestFromProto(empty)).toEqual({});
});

test("the id of a spec is its name unless it has one", () => {
  expect(allocationRequestFromProto(create(AllocationSpecSchema, { id: "a" })).name).toBe("a");
  expect(allocationRequestFromProto(create(AllocationSpecSchema, { id: "a", name: "b" })).name).toBe("b");
});

test("a dependency without a condition waits for success", () => {
  const spec = create(AllocationSpecSchema, { dependsOn: [{ refId: "7" }] });
  expect(allocationRequestFromProto(spec).dependsOn).toEqual([{ ref: "7", condition: "success" }]);
});

test("a task group's plain range is read, its absent step as 1", () => {
  const value = { template: { entrypoint: "true" }, rangeStart: 2, rangeEnd: 4, maxConcurrent: 1 };
  const request = create(SubmitRequestSchema, { submission: { case: "taskGroup", value } });
  expect(submissionFromProto(request)).toEqual({
    kind: "task-group",
    template: { entrypoint: "true" },
    ranges: [{ start: 2, end: 4, step: 1 }],
    concurrentMax: 1,
  });
});

test("a submission of nothing and a group without a template are refused", () => {
  expect(() => submissionFromProto(create(SubmitRequestSchema))).toThrow("one of single, dag and task_group");
  const bare = create(SubmitRequestSchema, { submission: { case: "taskGroup", value: {} } });
  expect(() => submissionFromProto(bare)).toThrow("has no template");
});
