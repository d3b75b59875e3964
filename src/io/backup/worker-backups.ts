/**
 * The Backups port for the main thread: each task runs in a Worker of its own, which reads
 * the state on disk beside the server and ends with the task. One task at a time.
 */
import type { Backups } from "../../ports/backups.ts";
import { askWorker } from "../ask-worker.ts";
import type { BackupPlaces, BackupQuestion, BackupTask, BackupTasks } from "./backup-worker-messages.ts";

/** Returns the backups at `places`; `workerUrl` is where the Worker's entry is. */
export const openWorkerBackups = (workerUrl: string, places: BackupPlaces): Backups =>
  backupsBy((question) => askWorker(workerUrl, "backup", question), places);

/** Returns the backups at `places`, each task done by `run`, one after another. */
export function backupsBy(run: (question: BackupQuestion) => Promise<unknown>, places: BackupPlaces): Backups {
  let last: Promise<unknown> = Promise.resolve();
  const ask = <K extends BackupTask>(task: K, given: BackupTasks[K]["given"]): Promise<BackupTasks[K]["result"]> => {
    const question = { task, places, given } as BackupQuestion;
    const answer = last.then(() => run(question));
    last = answer.catch(() => undefined);
    return answer as Promise<BackupTasks[K]["result"]>;
  };
  return {
    location: places.location,
    create: (request) => ask("create", request),
    list: () => ask("list", {}),
    verify: (name) => ask("verify", { name }),
    stage: (request) => ask("stage", request),
    remove: async (names) => void (await ask("remove", { names })),
  };
}
