/**
 * Wipes a node by the program that its site has for that; without one nothing counts as
 * wiped. It counts by its exit code alone, whatever it leaves running. One wipe runs at a
 * time: that of an agent that was killed is waited for, so that it cannot go on in the work
 * of whoever has the node next.
 */
import { closeSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { NodeWipe } from "../../ports/node-wipe.ts";

/** The program, what it is given, and where its lock and what it says are kept. */
export interface WipeCommand {
  /** Absolute; empty for none. */
  readonly path: string;
  readonly node: string;
  readonly stateDir: string;
  /** A wipe that takes longer has failed, with everything that it has started in its session. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 30 * 60_000;
const DETAIL_CHARACTERS = 300;
const TOOLS = "/usr/sbin:/usr/bin:/sbin:/bin";

/** Returns the wipe by the program, which is given the node's name. */
export function wipeBy(command: WipeCommand): NodeWipe {
  return { run: () => (command.path === "" ? Promise.reject(failed(NOT_CONFIGURED)) : runProgram(command)) };
}

const NOT_CONFIGURED = "no wipe program is configured: start lattice-agent with --wipe-command";

async function runProgram(command: WipeCommand): Promise<void> {
  const { path, timeoutMs = TIMEOUT_MS } = command;
  // A file, because a pipe ends only when the last process that holds it does.
  const said = join(command.stateDir, "wipe.log");
  const program = start(command, said);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    killSession(program.pid);
  }, timeoutMs);
  const code = await program.exited;
  clearTimeout(timer);
  if (code === 0 && !isLate) return;
  const how = isLate ? `was killed after ${timeoutMs / 1_000} s` : `ended with exit code ${code}`;
  const tail = await tailOf(said);
  throw failed(`${path} ${how}${tail === "" ? "" : `: ${tail}`}`);
}

function start({ path, node, stateDir }: WipeCommand, said: string) {
  const flock = Bun.which("flock", { PATH: TOOLS });
  if (flock === null) throw failed("flock is not installed: install util-linux");
  // The program of a killed agent may still write to the file of its own.
  rmSync(said, { force: true });
  const output = openSync(said, "wx", 0o600);
  try {
    const env = { PATH: TOOLS, LC_ALL: "C", LATTICE_NODE_ID: node };
    // What the program leaves running holds no lock.
    const words = [flock, "--close", join(stateDir, "wipe.lock"), path, node];
    return Bun.spawn(words, { cwd: "/", env, detached: true, stdio: ["ignore", "ignore", output] });
  } catch (error) {
    throw failed(`${path} cannot be run: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    closeSync(output);
  }
}

function killSession(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

async function tailOf(path: string): Promise<string> {
  const file = Bun.file(path);
  const text = await file.slice(Math.max(0, file.size - DETAIL_CHARACTERS)).text();
  return text.trim();
}

const failed = (message: string): LatticeError => new LatticeError(fault("INTERNAL", message));
