/** Shows that a workflow is ordered by its dependencies, that cycles are named, and what its state is. */
import { expect, test } from "bun:test";
import { dagState, orderDag } from "../../../../src/core/domain/dag.ts";

const order = (edges: Readonly<Record<string, string>>) => {
  const members = Object.entries(edges).map(([name, on]) => ({ name, dependsOn: on.split(" ").filter(Boolean) }));
  const result = orderDag(members);
  return result.ok ? result.value.join(" ") : `${result.error.reason}: ${result.error.message}`;
};

test("each member comes after what it depends on", () => {
  expect(order({ d: "b c", b: "a", c: "a", a: "" })).toBe("a b c d");
  expect(order({})).toBe("");
});

test("a cycle is refused and named, not what merely hangs on it", () => {
  expect(order({ a: "c", b: "a", c: "b", d: "a" })).toBe("DAG_CYCLE: the dependencies form a cycle: a -> c -> b -> a");
  expect(order({ a: "a" })).toBe("DAG_CYCLE: the dependencies form a cycle: a -> a");
});

test("a name that the workflow does not have, or has twice, is refused", () => {
  expect(order({ a: "b" })).toStartWith("INVALID_SPEC: a depends on b");
  const twice = orderDag([
    { name: "a", dependsOn: [] },
    { name: "a", dependsOn: [] },
  ]);
  expect(twice).toMatchObject({ ok: false, error: { reason: "INVALID_SPEC" } });
});

test("a dependency written twice counts as one order", () => {
  expect(order({ b: "a a", a: "" })).toBe("a b");
});

test("a workflow runs from its first start to its last end, and one failure fails it", () => {
  expect(dagState(["pending", "pending"])).toBe("pending");
  expect(dagState(["completed", "pending"])).toBe("running");
  expect(dagState(["completed", "running"])).toBe("running");
  expect(dagState(["completed", "cancelled"])).toBe("completed");
  expect(dagState(["failed", "cancelled"])).toBe("failed");
  expect(dagState(["cancelled", "cancelled"])).toBe("cancelled");
});
