/** Entry of the Worker that writes the state on disk: requests in order, an answer to each that wants one (io/sqlite/worker-mirror). */
import { LatticeError } from "../../core/domain/errors.ts";
import type { MirrorWriter } from "../../io/sqlite/mirror-writer.ts";
import { openMirrorWriter } from "../../io/sqlite/mirror-writer.ts";
import { unpackRows } from "../../io/sqlite/packed-rows.ts";
import type { MirrorReply, MirrorRequest } from "../../io/sqlite/worker-mirror.ts";

let writer: MirrorWriter | undefined;

/** Carries out a request; returns the answer, or undefined when it wants none. */
function carryOut(request: MirrorRequest): MirrorReply | undefined {
  switch (request.kind) {
    case "open":
      writer = openMirrorWriter(request.place);
      return { isOk: true };
    case "adopt":
      writer?.adopt(request.clusterId);
      return undefined;
    case "stage":
      writer?.stage(unpackRows(request));
      return undefined;
    case "write":
      writer?.write(unpackRows(request), request.applied);
      return { isOk: true };
    case "sync":
      writer?.sync();
      return { isOk: true };
    case "replace": {
      const applied = writer?.replace(request.snapshot);
      return { isOk: true, ...(applied && { applied }) };
    }
    case "close":
      writer?.close();
      return { isOk: true };
  }
}

addEventListener("message", ({ data }: MessageEvent<MirrorRequest>) => {
  try {
    const reply = carryOut(data);
    if (reply) postMessage(reply);
  } catch (error) {
    if (!(error instanceof LatticeError)) throw error;
    postMessage({ isOk: false, fault: error.fault } satisfies MirrorReply);
  }
});
