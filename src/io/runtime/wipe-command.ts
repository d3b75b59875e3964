/** Wipes a node by the program that its site has for that; without one nothing counts as wiped. */
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { NodeWipe } from "../../ports/node-wipe.ts";

/** A wipe that takes longer has failed. */
const TIMEOUT_MS = 30 * 60_000;
const DETAIL_CHARACTERS = 300;

/** Returns the wipe by the program at `path`, which is given the node's name; an empty path is none. */
export function wipeBy(path: string, node: string): NodeWipe {
  return { run: () => (path === "" ? Promise.reject(failed(NOT_CONFIGURED)) : runProgram(path, node)) };
}

const NOT_CONFIGURED = "no wipe program is configured: start lattice-agent with --wipe-command";

async function runProgram(path: string, node: string): Promise<void> {
  const program = start(path, node);
  const timer = setTimeout(() => program.kill("SIGKILL"), TIMEOUT_MS);
  const [said, code] = await Promise.all([new Response(program.stderr).text(), program.exited]);
  clearTimeout(timer);
  if (code === 0) return;
  const how = program.signalCode === null ? `exit code ${code}` : `signal ${program.signalCode}`;
  const tail = said.trim().slice(-DETAIL_CHARACTERS);
  throw failed(`${path} ended with ${how}${tail === "" ? "" : `: ${tail}`}`);
}

function start(path: string, node: string) {
  try {
    const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C", LATTICE_NODE_ID: node };
    return Bun.spawn([path, node], { cwd: "/", env, stdio: ["ignore", "ignore", "pipe"] });
  } catch (error) {
    throw failed(`${path} cannot be run: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const failed = (message: string): LatticeError => new LatticeError(fault("INTERNAL", message));
