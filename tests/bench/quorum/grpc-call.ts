/**
 * gRPC calls with frames written by hand over node:http2, so that whoever is measured with
 * them meets the same client.
 */
import type { ClientHttp2Session } from "node:http2";

/** A prepared call. */
export interface GrpcCall {
  /** As in `/package.Service/Method`. */
  readonly path: string;
  readonly message: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Makes one call and returns the message that comes back. Rejects with the status and its message. */
export function callGrpc(session: ClientHttp2Session, { path, message, headers }: GrpcCall): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    const pieces: Buffer[] = [];
    let status: string | undefined;
    let text: unknown = "";
    const read = (fields: Record<string, unknown>) => {
      const value = fields["grpc-status"];
      if (value === undefined) return;
      status = String(value);
      text = fields["grpc-message"];
    };
    stream.on("response", read);
    stream.on("trailers", read);
    stream.on("data", (piece: Buffer) => pieces.push(piece));
    stream.on("error", reject);
    stream.on("close", () => {
      if (status === "0") resolve(Buffer.concat(pieces).subarray(5));
      else reject(new Error(`grpc-status ${status}: ${text}`));
    });
    stream.end(frameOf(message));
  });
}

/** A gRPC message: one byte for compression, four for the length, the message. */
function frameOf(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}
