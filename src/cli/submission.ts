/**
 * From the flags of `lattice submit` to a submission. Flags mean what `#LATTICE`
 * directives mean, by the same table; what a script says is left to the server to read,
 * so here only what stands above the script, or nowhere else, is filled in.
 */

import { basename, resolve } from "node:path";
import { millis } from "../base/brand.ts";
import type { AllocationRequest, Submission } from "../core/domain/allocation-request.ts";
import { LatticeError } from "../core/domain/errors.ts";
import { LIMITS } from "../core/domain/limits.ts";
import { complete, emptyDraft } from "../core/slurm/draft.ts";
import { LATTICE_OPTIONS, LATTICE_SWITCHES } from "../core/slurm/lattice-options.ts";
import { parseMoment } from "../core/slurm/moment.ts";
import { parseDirectives } from "../core/slurm/parse-directives.ts";
import type { Context } from "./context.ts";
import type { Given } from "./grammar/given.ts";
import { UsageError } from "./grammar/usage-error.ts";

/** Names of the submit flags that are options of the request, as LATTICE_OPTIONS knows them. */
const REQUEST_FLAGS = [...LATTICE_OPTIONS.keys()].filter((name) => name !== "tenant" && name !== "vcluster");

/** Returns what the command line asks for. @throws UsageError, or INVALID_SPEC for what the script says. */
export async function submissionFrom(given: Given, context: Context): Promise<Submission> {
  const program = await programOf(given, context);
  const draft = emptyDraft();
  for (const name of REQUEST_FLAGS) {
    for (const value of given.all(name)) {
      const wrong = LATTICE_OPTIONS.get(name)?.(draft, LATTICE_SWITCHES.has(name) ? "true" : value);
      if (wrong !== undefined) throw new UsageError(`--${name}: ${wrong}`);
    }
  }
  const { request, array } = complete(draft);
  const whole = withDefaults({ ...request, ...momentsOf(request, context), ...program.request }, { program, context });
  if (array === undefined) return { kind: "single", request: whole };
  return { kind: "task-group", template: whole, ...array };
}

/** On a command line the clock is the one on the wall. */
function momentsOf({ begin, deadline }: AllocationRequest, context: Context): AllocationRequest {
  const now = millis(context.now());
  const wall = { now, zoneMs: -new Date(now).getTimezoneOffset() * 60_000 };
  const read = (text: string): string => {
    const at = parseMoment(text, wall);
    if (!at.ok) throw new LatticeError(at.error);
    return new Date(at.value).toISOString();
  };
  return { ...(begin && { begin: read(begin) }), ...(deadline && { deadline: read(deadline) }) };
}

interface ProgramText {
  readonly request: AllocationRequest;
  /** Name for people when neither the flags nor the script give one. */
  readonly name: string | undefined;
}

async function programOf(given: Given, context: Context): Promise<ProgramText> {
  const script = given.first();
  const wrapped = given.text("wrap");
  const argv = given.argv;
  const ways = [script, wrapped, argv].filter((way) => way !== undefined);
  if (ways.length !== 1 || argv?.length === 0) {
    const message = ways.length > 1 ? "give one of a script, --wrap and -- COMMAND" : "nothing to run is given";
    throw new UsageError(message, "for example: lattice submit job.sh, or: lattice submit -- hostname");
  }
  if (argv !== undefined) return { request: { argv }, name: undefined };
  if (wrapped !== undefined) return { request: { entrypoint: wrapped }, name: undefined };
  return {
    request: { script: await scriptText(script ?? "", context) },
    name: script === "-" ? "stdin" : basename(script ?? ""),
  };
}

async function scriptText(path: string, context: Context): Promise<string> {
  const isStandardInput = path === "-";
  const file = isStandardInput ? Bun.stdin : Bun.file(resolve(context.directory, path));
  let bytes: Uint8Array;
  try {
    bytes = await file.bytes();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (code === "ENOENT") throw new UsageError(`there is no file ${path}`, "a command is given after --");
    if (code === "EISDIR") throw new UsageError(`${path} is a directory`);
    if (code === "EACCES") throw new UsageError(`${path} may not be read`);
    throw new UsageError(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (bytes.length > LIMITS.scriptBytesMax) {
    const message = `${path} has ${bytes.length} bytes, a script has ${LIMITS.scriptBytesMax} at most`;
    throw new LatticeError({ reason: "TOO_LARGE", message });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new UsageError(`${path} is not text in UTF-8`, "submit a program with: lattice submit -- ./program");
  }
}

/** What a flag or the environment says stands above the script; the user's file stands below it. */
function withDefaults(
  request: AllocationRequest,
  { program, context }: { readonly program: ProgramText; readonly context: Context },
): AllocationRequest {
  const { settings, directory } = context;
  const said = directivesOf(request.script);
  const tenant = settings.tenant ?? (said.tenant === undefined ? (settings.tenantDefault ?? "default") : undefined);
  const vcluster = settings.vcluster ?? (said.vcluster === undefined ? settings.vclusterDefault : undefined);
  const name = request.name ?? (said.name === undefined ? program.name : undefined);
  return {
    ...request,
    workdir: resolve(directory, request.workdir ?? said.workdir ?? "."),
    ...(tenant === undefined ? {} : { tenant }),
    ...(vcluster === undefined ? {} : { vcluster }),
    ...(name === undefined ? {} : { name }),
  };
}

function directivesOf(script: string | undefined): AllocationRequest {
  if (script === undefined) return {};
  const directives = parseDirectives(script);
  if (!directives.ok) throw new LatticeError(directives.error);
  return directives.value.request;
}
