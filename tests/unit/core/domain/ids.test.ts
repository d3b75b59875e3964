/** Shows how what people type for an allocation is read, and that the ids of array tasks are derived. */
import { expect, test } from "bun:test";
import { parseIdReference, taskGroupId, taskId } from "../../../../src/core/domain/ids.ts";

const read = (text: string) => {
  const reference = parseIdReference(text);
  if (!reference) return "nothing";
  return reference.kind === "task"
    ? `task ${reference.group} ${reference.index}`
    : `${reference.kind} ${reference.value}`;
};

test.each([
  ["12345", "short 12345"],
  ["a12345", "short 12345"],
  ["12345_7", "task 12345 7"],
  ["a12345_0", "task 12345 0"],
  ["1234567", "short 1234567"],
  ["0f9e8d", "uuid-prefix 0f9e8d"],
  ["0F9E8D7C-1", "uuid-prefix 0f9e8d7c-1"],
  ["0f9e8", "nothing"],
  ["", "nothing"],
  ["12345_", "nothing"],
  ["job", "nothing"],
  ["-1", "nothing"],
])("%p is read as %s", (text, meaning) => {
  expect(read(text)).toBe(meaning);
});

test("the id of a task is a UUID of its own, equal for equal arguments", () => {
  const group = taskGroupId("3d1f0c52-0000-4000-8000-000000000001");
  const ids = Array.from({ length: 1_000 }, (_, i) => taskId(group, i));
  expect(new Set(ids).size).toBe(1_000);
  expect(taskId(group, 7)).toBe(ids[7] ?? taskId(group, 0));
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-9[0-9a-f]{3}-[0-9a-f]{12}$/);
});
