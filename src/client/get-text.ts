/** Reads a text of the REST face of one server, such as its metrics. */
import { LatticeError } from "../core/domain/errors.ts";
import { unreachable } from "./faults.ts";
import type { JsonQuestion } from "./get-json.ts";

/** Returns the text that one server answers with. @throws SERVER_UNREACHABLE. */
export async function getText(endpoint: string, question: Omit<JsonQuestion, "endpoints">): Promise<string> {
  const { path, tls, token, timeoutMs, signal } = question;
  const response = await fetch(`${endpoint}${path}`, {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    redirect: "error",
    ...(tls && { tls }),
  }).catch((cause) => {
    throw unreachable(endpoint, cause);
  });
  if (response.ok) return response.text();
  const message = `${endpoint}${path} answers with status ${response.status}`;
  throw new LatticeError({ reason: "SERVER_UNREACHABLE", message });
}
