/**
 * Authentication and errors of the RPC faces. The gate runs before a request's body is
 * read and leaves the Call in the context; the interceptor turns faults into ConnectErrors.
 */
import type { DescMethod } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ContextKey,
  createContextKey,
  type HandlerContext,
  type Interceptor,
} from "@connectrpc/connect";
import { present } from "../../base/assert.ts";
import type { CertificateIdentity } from "../../core/access/certificate.ts";
import type { Fault } from "../../core/domain/errors.ts";
import { LatticeError } from "../../core/domain/errors.ts";
import type { Principal } from "../../core/domain/principal.ts";
import { beginCall, type Call } from "../../engine/server/call.ts";
import { type MeteredRequest, meterRequest } from "../../engine/server/request-metrics.ts";
import type { Server } from "../../engine/server/server.ts";
import { operationOf } from "../connect/rpc-operations.ts";
import { connectErrorOf, faultOf, SHUTTING_DOWN } from "../errors.ts";
import type { Authenticator } from "./authenticate.ts";
import { untilCredentialEnds } from "./credential-end.ts";
import { idempotencyKeyOf, isStaleOf, requestIdOf } from "./request-call.ts";

const CALL: ContextKey<Call | undefined> = createContextKey<Call | undefined>(undefined, {
  description: "the call that the gate let in",
});

/** The client certificate of a request, verified. */
export const CERTIFICATE: ContextKey<CertificateIdentity | undefined> = createContextKey<
  CertificateIdentity | undefined
>(undefined, { description: "the certificate that the caller has shown" });

/** The network address of a request, where the listener knows it. */
export const ADDRESS: ContextKey<string | undefined> = createContextKey<string | undefined>(undefined, {
  description: "the address that the caller comes from",
});

const METER: ContextKey<MeteredRequest | undefined> = createContextKey<MeteredRequest | undefined>(undefined, {
  description: "the count of the request",
});

/** Returns the call of an RPC that the gate let in. */
export const callOf = (context: HandlerContext): Call =>
  present(context.values.get(CALL), "an RPC is handled behind the gate only");

/** Who may come in, and how often. */
export interface Entrance {
  readonly authenticator: Authenticator;
  /** @throws RATE_LIMITED when the principal has asked too often. */
  readonly admit: (principal: Principal) => void;
}

/** Returns the gate, which lets in authenticated callers only. */
export function createGate(server: Server, { authenticator, admit }: Entrance) {
  return async (context: HandlerContext): Promise<void> => {
    const { requestHeader: headers, signal } = context;
    const requestId = requestIdOf(headers, () => server.entropy.uuid());
    context.responseHeader.set("x-request-id", requestId);
    const meter = meterRequest(server, { face: "rpc", operation: operationOf(context.method), requestId });
    context.values.set(METER, meter);
    const from = context.values.get(ADDRESS) ?? "";
    const operation = operationOf(context.method);
    let known: Principal | undefined;
    try {
      const certificate = context.values.get(CERTIFICATE);
      const { principal, validUntil } = await authenticator.authenticate(headers, certificate);
      known = principal;
      admit(principal);
      if (validUntil !== undefined) server.denials.onLetIn(principal, from);
      const idempotencyKey = idempotencyKeyOf(headers);
      const isStale = isStaleOf(headers);
      const call: Call = {
        principal,
        requestId,
        signal,
        ...(validUntil !== undefined && { credentialEndsAt: validUntil }),
        isStale,
        from,
        ...(certificate !== undefined && { certificate }),
        ...(idempotencyKey !== undefined && { idempotencyKey }),
      };
      context.values.set(CALL, call);
      await beginCall(server.replica, call, operation);
    } catch (error) {
      const failure = faultOf(error, requestId, server.log);
      meter.end(failure.reason);
      server.denials.onRefused({ principal: known, operation, from, requestId }, failure);
      throw connectErrorOf(failure);
    }
  };
}

/** Returns the interceptor that gives every error its code and metadata. A stream that a shutdown, or the end of its credential, ends says so. */
export function createErrorInterceptor(server: Server, shutdown: AbortSignal): Interceptor {
  return (next) => async (request) => {
    const call = request.contextValues.get(CALL);
    const { requestId = "", credentialEndsAt } = call ?? {};
    const meter = request.contextValues.get(METER);
    const toConnect = (error: unknown): ConnectError => {
      if (error instanceof ConnectError) return error;
      // What a closing transport throws is the shutdown, not a failure of the request.
      const isCutOff = shutdown.aborted && !(error instanceof LatticeError);
      const failure = isCutOff ? SHUTTING_DOWN : faultOf(error, requestId, server.log);
      if (call) noteDenial(server, call, { method: request.method, failure });
      return connectErrorOf(failure);
    };
    const convert = (error: unknown): ConnectError => {
      const converted = toConnect(error);
      meter?.end(converted.metadata.get("lattice-reason") ?? Code[converted.code]);
      return converted;
    };
    try {
      const response = await next(request);
      if (!response.stream) {
        meter?.end("ok");
        return response;
      }
      const messages = untilCredentialEnds(response.message, credentialEndsAt, server.clock);
      return { ...response, message: converting(untilShutdown(messages, shutdown), convert, meter) };
    } catch (error) {
      throw convert(error);
    }
  };
}

/** What an operation refuses is a denial as much as what the gate does. */
function noteDenial(
  { denials }: Server,
  { principal, from = "", requestId }: Call,
  { method, failure }: { readonly method: DescMethod; readonly failure: Fault },
): void {
  // A long stream ends with its credential: nobody has attempted anything.
  if (failure.reason === "TOKEN_EXPIRED") return;
  denials.onRefused({ principal, operation: operationOf(method), from, requestId }, failure);
}

async function* untilShutdown<T>(messages: AsyncIterable<T>, shutdown: AbortSignal) {
  yield* messages;
  if (shutdown.aborted) throw new LatticeError(SHUTTING_DOWN);
}

async function* converting<T>(
  messages: AsyncIterable<T>,
  convert: (error: unknown) => ConnectError,
  meter: MeteredRequest | undefined,
) {
  try {
    for await (const message of messages) {
      meter?.end("ok");
      yield message;
    }
    meter?.end("ok");
  } catch (error) {
    throw convert(error);
  }
}
