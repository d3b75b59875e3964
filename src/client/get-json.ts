/**
 * Reads a JSON answer from the REST face of the first server that answers: for the few
 * things that are asked before, or about, a login. Every error is a LatticeError.
 */
import { present } from "../base/assert.ts";
import { FAULTS, type FaultReason, LatticeError } from "../core/domain/errors.ts";
import type { ClientTls } from "./client.ts";
import { unreachable } from "./faults.ts";

/** What to ask, and how. */
export interface JsonQuestion {
  /** Base URLs; at least one. */
  readonly endpoints: readonly string[];
  readonly path: string;
  readonly token?: string | undefined;
  readonly tls?: ClientTls | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** A JSON record. */
export type JsonRecord = Readonly<Record<string, unknown>>;

/** Returns the record that a server answers with. @throws SERVER_UNREACHABLE, or the fault that it answers with. */
export async function getJson(question: JsonQuestion): Promise<JsonRecord> {
  let error: LatticeError | undefined;
  for (const endpoint of question.endpoints) {
    try {
      return await ask(endpoint, question);
    } catch (thrown) {
      if (!(thrown instanceof LatticeError) || thrown.fault.reason !== "SERVER_UNREACHABLE") throw thrown;
      error ??= thrown;
    }
  }
  throw present(error, "at least one server was asked");
}

async function ask(endpoint: string, { path, token, tls, timeoutMs, signal }: JsonQuestion): Promise<JsonRecord> {
  const headers = { accept: "application/json", ...(token !== undefined && { authorization: `Bearer ${token}` }) };
  const ending = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const options = { headers, signal: ending, redirect: "error", ...(tls && { tls }) } as const;
  const response = await fetch(`${endpoint}${path}`, options).catch((cause) => {
    throw unreachable(endpoint, cause);
  });
  const answer = recordOf(await response.json().catch(() => undefined));
  if (response.ok && answer !== undefined) return answer;
  throw faultIn(answer, `${endpoint}${path} answers with status ${response.status}: is it a Lattice server?`);
}

function faultIn(answer: JsonRecord | undefined, otherwise: string): LatticeError {
  const { code, error, next } = answer ?? {};
  if (!isReason(code) || typeof error !== "string") {
    return new LatticeError({ reason: "SERVER_UNREACHABLE", message: otherwise });
  }
  return new LatticeError({ reason: code, message: error, ...(typeof next === "string" && { next }) });
}

const isReason = (code: unknown): code is FaultReason => typeof code === "string" && Object.hasOwn(FAULTS, code);

const recordOf = (value: unknown): JsonRecord | undefined =>
  value !== null && typeof value === "object" && !Array.isArray(value) ? { ...value } : undefined;
