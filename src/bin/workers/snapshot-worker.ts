/** Entry of the Worker that brings the state on disk to another server: one order, one answer (io/peer/snapshot-worker-messages). */
import { LatticeError } from "../../core/domain/errors.ts";
import type { WorkerAnswer } from "../../io/ask-worker.ts";
import { doSnapshotTask } from "../../io/peer/snapshot-task.ts";
import type { SnapshotQuestion } from "../../io/peer/snapshot-worker-messages.ts";

const send = (answer: WorkerAnswer): void => postMessage(answer);

addEventListener("message", async ({ data }: MessageEvent<SnapshotQuestion>) => {
  try {
    send({ isOk: true, result: await doSnapshotTask(data) });
  } catch (error) {
    if (!(error instanceof LatticeError)) throw error;
    send({ isOk: false, fault: error.fault });
  }
});
