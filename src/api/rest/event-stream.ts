/**
 * Streams of a REST answer: server-sent events with a comment now and then, so that no
 * proxy takes a quiet stream for a dead one, and plain bytes. The reader's pace holds the
 * producer back; a reader that goes away ends it.
 */
import type { Fault } from "../../core/domain/errors.ts";
import { nextStep } from "../../core/domain/errors.ts";
import type { CancelTimer, Clock } from "../../ports/clock.ts";
import { CREDENTIAL_ENDED, onCredentialEnd } from "../auth/credential-end.ts";
import { SHUTTING_DOWN } from "../errors.ts";

/** One server-sent event. */
export interface ServerSentEvent {
  readonly event: string;
  readonly id?: string;
  readonly data: unknown;
}

const COMMENT_PERIOD_MS = 15_000;
const ENCODER = new TextEncoder();
const COMMENT = ENCODER.encode(": still here\n\n");

/** What a stream needs of its surroundings. */
export interface StreamSetting {
  readonly clock: Clock;
  /** Ends the producer. */
  readonly abort: () => void;
  readonly faultOf: (error: unknown) => Fault;
  /** Aborted when the server stops: a stream that ends then says so. */
  readonly shutdown: AbortSignal;
  /** When the caller's credential ends, and the stream with it. */
  readonly credentialEndsAt?: number | undefined;
}

/** Answers with the events; an error becomes the last one. */
export function eventStream(events: AsyncIterable<ServerSentEvent>, setting: StreamSetting): Response {
  const iterator = events[Symbol.asyncIterator]();
  let cancelTimer: CancelTimer = () => {};
  let cancelEnd: CancelTimer = () => {};
  let isOver = false;
  const finish = () => {
    isOver = true;
    cancelTimer();
    cancelEnd();
    setting.abort();
  };
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(COMMENT);
      cancelTimer = setting.clock.every(COMMENT_PERIOD_MS, () => {
        if ((controller.desiredSize ?? 0) > 0) controller.enqueue(COMMENT);
      });
      cancelEnd = onCredentialEnd(setting.credentialEndsAt, setting.clock, () => {
        controller.enqueue(encode(errorEvent(CREDENTIAL_ENDED)));
        finish();
        controller.close();
      });
    },
    async pull(controller) {
      try {
        const { done, value } = await iterator.next();
        if (isOver) return;
        if (!done) return controller.enqueue(encode(value));
        if (setting.shutdown.aborted) controller.enqueue(encode(errorEvent(SHUTTING_DOWN)));
      } catch (error) {
        if (isOver) return;
        controller.enqueue(encode(errorEvent(setting.faultOf(error))));
      }
      finish();
      controller.close();
    },
    async cancel() {
      finish();
      await iterator.return?.();
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-cache" } });
}

/** Answers with bytes. The first piece is awaited, so that what cannot be read at all is an error and not a stream. */
export async function byteStream(
  pieces: AsyncIterable<Uint8Array>,
  type: string,
  abort: () => void,
): Promise<Response> {
  const iterator = pieces[Symbol.asyncIterator]();
  let first: IteratorResult<Uint8Array> | undefined = await iterator.next();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = first ?? (await iterator.next());
      first = undefined;
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      abort();
      await iterator.return?.();
    },
  });
  return new Response(body, { headers: { "content-type": type } });
}

function encode({ event, id, data }: ServerSentEvent): Uint8Array {
  const name = id === undefined ? `event: ${event}\n` : `event: ${event}\nid: ${id}\n`;
  return ENCODER.encode(`${name}data: ${JSON.stringify(data)}\n\n`);
}

const errorEvent = (of: Fault): ServerSentEvent => ({
  event: "error",
  data: { error: of.message, code: of.reason, next: nextStep(of) },
});
