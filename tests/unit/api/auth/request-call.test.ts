/** Shows what of a request's headers reaches the operations. */
import { expect, test } from "bun:test";
import { idempotencyKeyOf, requestIdOf } from "../../../../src/api/auth/request-call.ts";

const fresh = () => "fresh";

test("a well-formed request id is kept, another one is replaced", () => {
  expect(requestIdOf(new Headers({ "x-request-id": "abc-1.2_3" }), fresh)).toBe("abc-1.2_3");
  expect(requestIdOf(new Headers({ "x-request-id": "a b" }), fresh)).toBe("fresh");
  expect(requestIdOf(new Headers({ "x-request-id": "x".repeat(65) }), fresh)).toBe("fresh");
  expect(requestIdOf(new Headers(), fresh)).toBe("fresh");
});

test("an idempotency key is kept within its bounds and refused beyond them", () => {
  expect(idempotencyKeyOf(new Headers({ "idempotency-key": "k".repeat(256) }))).toHaveLength(256);
  expect(idempotencyKeyOf(new Headers())).toBeUndefined();
  expect(idempotencyKeyOf(new Headers({ "idempotency-key": "" }))).toBeUndefined();
  expect(() => idempotencyKeyOf(new Headers({ "idempotency-key": "k".repeat(257) }))).toThrow("1 to 256");
  expect(() => idempotencyKeyOf(new Headers({ "idempotency-key": "a b" }))).toThrow("printable");
});
