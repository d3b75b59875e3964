/** Reads a trace file: unpacks it where it is compressed, and picks the reader by the name of the file. */
import { parseDocument } from "yaml";
import type { Result } from "../../base/result.ts";
import type { Fault } from "../../core/domain/errors.ts";
import { fault, LatticeError, refuse } from "../../core/domain/errors.ts";
import { readJobList } from "../../replay/job-list.ts";
import { readHistory, readHistoryMachine } from "../../replay/lattice-trace.ts";
import type { Machine } from "../../replay/machine.ts";
import { machineFrom } from "../../replay/machine-file.ts";
import { readOpenbNodes, readOpenbPods } from "../../replay/openb.ts";
import { readSacct } from "../../replay/sacct.ts";
import { readSwf } from "../../replay/swf.ts";
import type { Trace } from "../../replay/trace.ts";
import { UsageError } from "../grammar/usage-error.ts";
import type { Format } from "./flags.ts";
import { FORMATS } from "./flags.ts";

/** How a trace is to be read. */
export interface InputOptions {
  readonly format: Format | undefined;
  readonly coresPerNode: number;
}

/** Returns the trace in the file at `path`. Throws UsageError when there is no such file, LatticeError when it is no trace. */
export async function readTrace(path: string, options: InputOptions): Promise<Trace> {
  const format = options.format ?? formatOf(path);
  const text = await readText(path);
  const read = READERS[format](text, options);
  if (!read.ok) throw new LatticeError({ ...read.error, message: `${path}: ${read.error.message}` });
  return read.value;
}

/** Returns the machine in the file at `path`: YAML, a history of Lattice, else CSV. Throws as `readTrace` does. */
export async function readMachine(path: string): Promise<Machine> {
  const read = machineIn(path, await readText(path));
  if (!read.ok) throw new LatticeError({ ...read.error, message: `${path}: ${read.error.message}` });
  return read.value;
}

function machineIn(path: string, text: string): Result<Machine, Fault> {
  const name = path.toLowerCase().replace(/\.gz$/, "");
  if (name.endsWith(".lattice")) return readHistoryMachine(text);
  if (!/\.ya?ml$/.test(name)) return readOpenbNodes(text);
  const document = parseDocument(text);
  const [wrong] = document.errors;
  return wrong
    ? refuse("INVALID_SPEC", `it is no YAML: ${wrong.message.split("\n")[0]}`)
    : machineFrom(document.toJS());
}

const READERS = {
  swf: (text: string, { coresPerNode }: InputOptions) => readSwf(text, coresPerNode),
  sacct: readSacct,
  json: readJobList,
  openb: readOpenbPods,
  lattice: readHistory,
} as const;

function formatOf(path: string): Format {
  const name = path.toLowerCase().replace(/\.gz$/, "");
  const format = FORMATS.find((known) => name.endsWith(`.${known}`));
  if (format) return format;
  throw new UsageError(`the name of ${path} does not say its format`, `add: --format ${FORMATS.join("|")}`);
}

async function readText(path: string): Promise<string> {
  const file = Bun.file(path);
  if (!(await file.exists())) throw new UsageError(`there is no file ${path}`);
  const bytes = await file.bytes();
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
  try {
    return new TextDecoder().decode(isGzip ? Bun.gunzipSync(bytes) : bytes);
  } catch (cause) {
    throw new LatticeError(fault("INVALID_SPEC", `${path} is damaged: it cannot be unpacked`, "fetch it again"), {
      cause,
    });
  }
}
