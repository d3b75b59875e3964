/** One question to a Worker of its own, one answer: for heavy work that must not hold up the loop that wants it. */
import type { Fault } from "../core/domain/errors.ts";
import { fault, LatticeError } from "../core/domain/errors.ts";

/** What such a Worker answers. */
export type WorkerAnswer =
  | { readonly isOk: true; readonly result: unknown }
  | { readonly isOk: false; readonly fault: Fault };

/** Starts the Worker `name` for `question` and returns its result. @throws LatticeError what it refuses, INTERNAL when it dies. */
export async function askWorker(workerUrl: string, name: string, question: unknown): Promise<unknown> {
  const worker = new Worker(workerUrl, { name });
  const died = (why: string): LatticeError => new LatticeError(fault("INTERNAL", `the ${name} worker failed: ${why}`));
  try {
    const answer = await new Promise<WorkerAnswer>((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<WorkerAnswer>) => resolve(data);
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
