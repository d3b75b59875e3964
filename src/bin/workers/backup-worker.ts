/** Entry of the Worker that makes, checks and unpacks backups: one task, one answer (io/backup/backup-worker-messages). */
import { LatticeError } from "../../core/domain/errors.ts";
import type { WorkerAnswer } from "../../io/ask-worker.ts";
import { doBackupTask } from "../../io/backup/backup-tasks.ts";
import type { BackupQuestion } from "../../io/backup/backup-worker-messages.ts";

const send = (answer: WorkerAnswer): void => postMessage(answer);

addEventListener("message", async ({ data }: MessageEvent<BackupQuestion>) => {
  try {
    send({ isOk: true, result: await doBackupTask(data) });
  } catch (error) {
    if (!(error instanceof LatticeError)) throw error;
    send({ isOk: false, fault: error.fault });
  }
});
