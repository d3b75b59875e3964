/**
 * Bytes that are no message: Connect's library calls them an internal error and decides
 * so beneath every interceptor. Here the answer becomes what it is, the caller's mistake.
 * gRPC keeps INTERNAL, its own convention for them.
 */
import type { UniversalHandler, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { FAULTS, fault } from "../../core/domain/errors.ts";
import { connectErrorOf } from "../errors.ts";

const UNREADABLE = "parse binary: ";

/** Returns the handler with its answers to unreadable binary messages put right. */
export function withMalformedMessages(handler: UniversalHandler): UniversalHandler {
  const answer = async (request: Parameters<UniversalHandler>[0]): Promise<UniversalServerResponse> => {
    const response = await handler(request);
    const isBinary = request.header.get("content-type") === "application/proto";
    const mayBeUnreadable = isBinary && response.status === FAULTS.INTERNAL.http && response.body !== undefined;
    return mayBeUnreadable ? corrected(response) : response;
  };
  return Object.assign(answer, handler);
}

async function corrected(response: UniversalServerResponse): Promise<UniversalServerResponse> {
  const pieces: Uint8Array[] = [];
  for await (const piece of response.body ?? []) pieces.push(piece);
  const text = new TextDecoder().decode(Buffer.concat(pieces));
  const { message = "" }: { readonly message?: string } = JSON.parse(text);
  if (!message.startsWith(UNREADABLE)) return { ...response, body: once(text) };
  const { metadata } = connectErrorOf(fault("MALFORMED", message));
  const header = new Headers(response.header);
  header.delete("content-length");
  for (const [name, value] of metadata) header.set(name, value);
  const body = JSON.stringify({
    code: FAULTS.MALFORMED.rpc,
    message: `malformed message: ${message.slice(UNREADABLE.length)}`,
  });
  return { ...response, status: FAULTS.MALFORMED.http, header, body: once(body) };
}

async function* once(text: string): AsyncIterable<Uint8Array> {
  yield new TextEncoder().encode(text);
}
