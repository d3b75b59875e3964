/** Shows that denials are told at once, counted while they repeat, and bounded in number whatever comes; and that a login is told once an hour. */
import { expect, test } from "bun:test";
import { userId } from "../../../../../src/core/domain/ids.ts";
import type { Role } from "../../../../../src/core/domain/principal.ts";
import type { AuditFacts } from "../../../../../src/engine/server/audit/auditor.ts";
import { Denials, KINDS_MAX, WINDOW_MS } from "../../../../../src/engine/server/audit/denials.ts";
import { FakeClock } from "../../../../fixtures/fake-clock.ts";
import { listedLog } from "../../../../fixtures/listed-log.ts";

function aDesk() {
  const clock = new FakeClock();
  const told: AuditFacts[] = [];
  const record = async (facts: AuditFacts) => void told.push(facts);
  return { clock, told, desk: new Denials({ auditor: { record }, clock, log: listedLog() }) };
}

const FORBIDDEN = { reason: "FORBIDDEN", message: "role User may not do node.drain" } as const;
const denied = (user: string) => ({
  principal: { user: userId(user), role: "User" as const },
  operation: "node.drain" as const,
  from: "10.0.0.1",
  requestId: "r",
});

test("the first of a kind is told at once, and those like it in one entry with their count", async () => {
  const { clock, told, desk } = aDesk();
  for (let i = 0; i < 500; i++) desk.onRefused(denied("eve"), FORBIDDEN);
  expect(told).toMatchObject([{ actor: { user: "eve" }, action: "lattice.node.drain", from: "10.0.0.1" }]);
  expect(told[0]?.denied).toBe("FORBIDDEN: role User may not do node.drain");
  await clock.pass(WINDOW_MS);
  expect(told.map(({ count }) => count)).toEqual([undefined, 499]);
  await clock.pass(10 * WINDOW_MS);
  expect(told).toHaveLength(2);
});

test("a flood of different kinds makes a bounded number of entries, and none is lost from the count", async () => {
  const { clock, told, desk } = aDesk();
  for (let i = 0; i < 10_000; i++) desk.onRefused(denied(`eve-${i}`), FORBIDDEN);
  await clock.pass(WINDOW_MS);
  expect(told).toHaveLength(KINDS_MAX + 1);
  expect(told.at(-1)).toMatchObject({ action: "lattice.auth.denied", count: 10_000 - KINDS_MAX });
});

test("only what is a matter of rights is a denial, and bad credentials are told by where they come from", () => {
  const { told, desk } = aDesk();
  const unknown = { operation: "node.drain", from: "10.0.0.1", requestId: "r" } as const;
  desk.onRefused(denied("eve"), { reason: "NODE_NOT_FOUND", message: "there is no node" });
  desk.onRefused(unknown, { reason: "UNAUTHENTICATED", message: "the token is refused" });
  desk.onRefused({ ...unknown, operation: "tenant.create" }, { reason: "UNAUTHENTICATED", message: "again" });
  expect(told).toMatchObject([{ actor: { user: "" }, from: "10.0.0.1" }]);
});

test("a login is told once an hour for each address of a person who may do more than users", async () => {
  const { clock, told, desk } = aDesk();
  const letIn = (role: Role, from: string) => desk.onLetIn({ user: userId("ann"), role }, from);
  for (const role of ["User", "ReadOnly", "agent", "server"] as const) letIn(role, "a");
  expect(told).toEqual([]);
  for (let i = 0; i < 3; i++) for (const from of ["a", "b"]) letIn("Operator", from);
  expect(told.map(({ action, from }) => `${action} ${from}`)).toEqual(["lattice.auth.login a", "lattice.auth.login b"]);
  await clock.pass(3_600_000);
  letIn("Operator", "a");
  expect(told).toHaveLength(3);
});
