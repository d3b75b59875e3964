/** Shows that every fault leaves each face with its code, status and advice, and that the unforeseen tells nothing but a request id. */
import { expect, test } from "bun:test";
import { Code } from "@connectrpc/connect";
import { connectErrorOf, faultOf, problemOf } from "../../../src/api/errors.ts";
import { FAULTS, fault, LatticeError } from "../../../src/core/domain/errors.ts";
import { createJsonLogger } from "../../../src/io/json-logger.ts";

const REASONS = Object.keys(FAULTS).filter((name): name is keyof typeof FAULTS => name in FAULTS);

function logged() {
  const lines: string[] = [];
  return { lines, log: createJsonLogger((line) => lines.push(line), "error") };
}

test.each(REASONS.map((reason) => [reason] as const))(
  "%s has the catalogue's status and code on both faces",
  async (reason) => {
    const problem = problemOf(fault(reason, "what happened"), "r1");
    expect(problem.status).toBe(FAULTS[reason].http);
    expect(await problem.json()).toEqual({
      type: `urn:lattice:fault:${reason}`,
      title: reason.toLowerCase().replaceAll("_", " "),
      status: FAULTS[reason].http,
      error: "what happened",
      code: reason,
      next: FAULTS[reason].next,
      request_id: "r1",
    });
    const error = connectErrorOf(fault(reason, "what happened"));
    expect(Code[error.code]?.toLowerCase()).toBe(FAULTS[reason].rpc.replaceAll("_", ""));
    expect(error.metadata.get("lattice-reason")).toBe(reason);
    expect(error.metadata.get("lattice-next")).toBe(FAULTS[reason].next);
  },
);

test("a problem is typed as one, names its request and asks for a token when one is missing", () => {
  const { headers } = problemOf(fault("UNAUTHENTICATED", "no"), "r1");
  expect(headers.get("content-type")).toBe("application/problem+json");
  expect(headers.get("x-request-id")).toBe("r1");
  expect(headers.get("www-authenticate")).toBe("Bearer");
});

test("a hint when to retry is passed on, in whole seconds and exactly", () => {
  const limited = { ...fault("RATE_LIMITED", "slow down"), retryAfterMs: 1_500 };
  expect(problemOf(limited, "r1").headers.get("retry-after")).toBe("2");
  expect(connectErrorOf(limited).metadata.get("lattice-retry-after-ms")).toBe("1500");
});

test("advice that is no header text is made one", () => {
  const error = connectErrorOf(fault("INVALID_SPEC", "ünfit", "löse\n es"));
  expect(error.rawMessage).toBe("ünfit");
  expect(error.metadata.get("lattice-next")).toBe("l?se? es");
});

test("a fault passes as it is, and nothing is logged", () => {
  const { lines, log } = logged();
  const known = fault("NODE_NOT_FOUND", "there is no node n1");
  expect(faultOf(new LatticeError(known), "r1", log)).toBe(known);
  expect(lines).toEqual([]);
});

test("what nobody foresaw is told as a request id, and logged with its cause under it", () => {
  const { lines, log } = logged();
  const told = faultOf(new TypeError("secret detail"), "r1", log);
  expect(told).toEqual(fault("INTERNAL", "internal error, request r1"));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain("secret detail");
  expect(lines[0]).toContain('"requestId":"r1"');
});

test("a caller that went away is no error of the server", () => {
  const { lines, log } = logged();
  expect(faultOf(new DOMException("gone", "AbortError"), "r1", log).reason).toBe("CANCELED");
  expect(lines).toEqual([]);
});
