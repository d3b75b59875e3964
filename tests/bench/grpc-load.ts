/** The same load over native gRPC: one HTTP/2 connection each, one call at a time on it, frames written by hand. */
import type { ClientHttp2Session } from "node:http2";
import { connect } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { SubmitRequestSchema } from "../../src/gen/lattice/v1/allocations_pb.ts";

const HEADERS = {
  ":method": "POST",
  ":path": "/lattice.v1.AllocationService/Submit",
  "content-type": "application/grpc",
  te: "trailers",
};

/** Opens the connections, calls Submit until `isOver` says so, and returns how many calls succeeded. */
export async function submitOverGrpc(port: number, connections: number, isOver: () => boolean): Promise<number> {
  const frame = frameOf(submitMessage());
  const counts = await Promise.all(
    Array.from({ length: connections }, async () => {
      const session = connect(`http://127.0.0.1:${port}`);
      let done = 0;
      do {
        await call(session, frame);
        done++;
      } while (!isOver());
      session.close();
      return done;
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

function submitMessage(): Uint8Array {
  const single = { tenant: "default", entrypoint: "true" };
  return toBinary(SubmitRequestSchema, create(SubmitRequestSchema, { submission: { case: "single", value: single } }));
}

/** A gRPC message: one byte for compression, four for the length, the message. */
function frameOf(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}

function call(session: ClientHttp2Session, frame: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = session.request(HEADERS);
    let status: string | undefined;
    const read = (headers: Record<string, unknown>) => {
      const value = headers["grpc-status"];
      if (value !== undefined) status = String(value);
    };
    stream.on("response", read);
    stream.on("trailers", read);
    stream.on("error", reject);
    stream.on("close", () => (status === "0" ? resolve() : reject(new Error(`grpc-status ${status}`))));
    stream.resume();
    stream.end(frame);
  });
}
