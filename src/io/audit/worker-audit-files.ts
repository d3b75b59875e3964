/** The AuditFiles port for the main thread: each file is stored or read by a Worker of its own, the one of backups. */
import type { AuditFiles } from "../../ports/audit-files.ts";
import { askWorker } from "../ask-worker.ts";
import type { BackupPlaces, BackupQuestion, BackupTasks } from "../backup/backup-worker-messages.ts";

/** Returns the archives at `places`; `workerUrl` is where the Worker's entry is. */
export const openWorkerAuditFiles = (workerUrl: string, places: BackupPlaces): AuditFiles =>
  auditFilesBy((question) => askWorker(workerUrl, "backup", question), places);

/** Returns the archives at `places`, each task done by `run`, one after another. */
export function auditFilesBy(run: (question: BackupQuestion) => Promise<unknown>, places: BackupPlaces): AuditFiles {
  // Backups have a scratch folder of their own beside the data; the two may be at work at once.
  const own = { ...places, dataDir: `${places.dataDir}.audit` };
  let last: Promise<unknown> = Promise.resolve();
  const ask = <K extends "keep" | "read">(
    task: K,
    given: BackupTasks[K]["given"],
  ): Promise<BackupTasks[K]["result"]> => {
    const question = { task, places: own, given } as BackupQuestion;
    const answer = last.then(() => run(question));
    last = answer.catch(() => undefined);
    return answer as Promise<BackupTasks[K]["result"]>;
  };
  return {
    location: places.location,
    put: async (name, text) => void (await ask("keep", { name, text })),
    get: (name) => ask("read", { name }),
  };
}
