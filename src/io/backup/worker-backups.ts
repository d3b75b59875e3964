/**
 * The Backups port for the main thread: each task runs in a Worker of its own, which reads
 * the state on disk beside the server and ends with the task. One task at a time.
 */
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { Backups } from "../../ports/backups.ts";
import type { BackupAnswer, BackupPlaces, BackupQuestion, BackupTask, BackupTasks } from "./backup-worker-messages.ts";

/** Returns the backups at `places`; `workerUrl` is where the Worker's entry is. */
export const openWorkerBackups = (workerUrl: string, places: BackupPlaces): Backups =>
  backupsBy((question) => runInWorker(workerUrl, question), places);

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

async function runInWorker(workerUrl: string, question: BackupQuestion): Promise<unknown> {
  const worker = new Worker(workerUrl, { name: "backup" });
  try {
    const answer = await new Promise<BackupAnswer>((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<BackupAnswer>) => resolve(data);
      worker.onerror = ({ message }) => reject(died(message));
      worker.addEventListener("close", () => reject(died("it ended by itself")));
      worker.postMessage(question);
    });
    if (answer.isOk) return answer.result;
    throw new LatticeError(answer.fault);
  } finally {
    worker.terminate();
  }
}

const died = (why: string): LatticeError => new LatticeError(fault("INTERNAL", `the backup worker failed: ${why}`));
