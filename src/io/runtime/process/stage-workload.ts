/** Puts into a workload's folder everything that it starts from, and checks what can be checked. */
import { resolve } from "node:path";
import type { Fence, Work } from "../../../core/domain/assignment.ts";
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import type { WorkloadKey } from "../../../core/domain/workload.ts";
import type { Account, Accounts } from "./account.ts";
import { ownAccount } from "./account.ts";
import { environmentOf } from "./environment.ts";
import { launchScript } from "./launch-script.ts";
import { expandOutputPattern } from "./output-pattern.ts";
import type { OutputRecord, WorkloadFolder, WorkRecord } from "./workload-folder.ts";

/** What to stage, and where. */
export interface StageRequest {
  readonly key: WorkloadKey;
  readonly work: Work;
  readonly fence: Fence;
  readonly folder: WorkloadFolder;
  readonly accounts: Accounts | undefined;
  /** A folder on the way to the workload's that only its owner can enter. */
  readonly closedFolder: string | undefined;
}

/** What was staged, and the environment variables that could not be passed on. */
export interface Staged {
  readonly record: WorkRecord;
  readonly skipped: readonly string[];
}

/** Stages a workload; leaves nothing behind when it fails. @throws INVALID_SPEC with why it cannot run here. */
export async function stage(request: StageRequest): Promise<Staged> {
  try {
    return request.work.runsHere ? await stageProgram(request) : await stageHold(request);
  } catch (error) {
    await request.folder.remove();
    throw error;
  }
}

/** One block, which the supervisor gives back to write the exit status on a full disk. */
const RESERVE = "\n".repeat(4096);
const AGENT = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

/** A node that only holds its part keeps the record alone. */
async function stageHold({ key, work, fence, folder }: StageRequest): Promise<Staged> {
  const owner = AGENT;
  const record: WorkRecord = { version: 1, key, work, fence, owner, output: { isJoined: false, uid: 0 } };
  await folder.create();
  await folder.writeWork(record);
  return { record, skipped: [] };
}

async function stageProgram({ key, work, fence, folder, accounts, closedFolder }: StageRequest): Promise<Staged> {
  const account = accounts ? await accounts.resolve(work.user) : await ownAccount();
  if (accounts && account.uid !== 0 && closedFolder !== undefined) {
    const message = `the agent's state directory lies in ${closedFolder}, which the account ${account.name} cannot enter`;
    throw new LatticeError(fault("INVALID_SPEC", message, "start the agent with another --state-dir"));
  }
  const owner = { uid: account.uid, gid: account.gid };
  const workdir = resolve(account.home, work.spec.workdir);
  const output = outputOf(work, account, workdir);
  const { variables, skipped } = environmentOf({
    ...{ key, work, account, workdir },
    checkpointMarker: folder.checkpointMarker,
  });
  const launch = launchScript({
    environment: variables,
    workdir,
    workdirFallback: work.spec.workdir === "" ? "/" : undefined,
    stdoutPath: output.stdoutPath,
    stderrPath: output.stderrPath,
    appends: key.attempt > 1,
    program: work.spec.program,
    scriptPath: folder.file("script"),
  });
  await folder.create();
  const { program } = work.spec;
  await Promise.all([
    folder.createCheckpoint(owner),
    folder.writeOwned("stdout", "", { mode: 0o600, owner }),
    folder.writeOwned("stderr", "", { mode: 0o600, owner }),
    folder.writeOwned("reserve", RESERVE, { mode: 0o600, owner: AGENT }),
    folder.writeOwned("launch.sh", launch, { mode: 0o400, owner }),
    program.kind === "script" ? folder.writeOwned("script", program.text, { mode: 0o500, owner }) : undefined,
  ]);
  const record: WorkRecord = { version: 1, key, work, fence, owner, output };
  await folder.writeWork(record);
  return { record, skipped };
}

/** As with sbatch: standard error joins standard output unless it has a path of its own. */
function outputOf(work: Work, account: Account, workdir: string): OutputRecord {
  const { spec, task, shortId, nodeIds } = work;
  const expand = (path: string) =>
    resolve(
      workdir,
      expandOutputPattern(path, {
        job: String(shortId),
        name: spec.name,
        array: String(task?.groupShortId ?? shortId),
        task: String(task?.index ?? 0),
        node: nodeIds[0] ?? work.claim.nodeId,
        user: account.name,
      }),
    );
  return {
    ...(spec.stdoutPath !== "" && { stdoutPath: expand(spec.stdoutPath) }),
    ...(spec.stderrPath !== "" && { stderrPath: expand(spec.stderrPath) }),
    isJoined: spec.stdoutPath !== "" && (spec.stderrPath === "" || expand(spec.stderrPath) === expand(spec.stdoutPath)),
    uid: account.uid,
  };
}
