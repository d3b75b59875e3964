/**
 * The launch script of a workload: what the user asked for, as a shell script that runs as
 * the user. The user's environment first exists here, after the change of user, so it
 * never reaches a process of the agent's. Nothing of it stands in an argument vector.
 *
 * Descriptor 3 is the way to say that the work could not be started; it is closed before
 * the user's program runs.
 */
import type { Program } from "../../../core/domain/allocation.ts";
import { fault, LatticeError } from "../../../core/domain/errors.ts";

/** What the launch script does, with every path resolved. */
export interface Launch {
  readonly environment: ReadonlyMap<string, string>;
  readonly workdir: string;
  /** Taken when `workdir` does not exist; undefined makes that a failure to start. */
  readonly workdirFallback: string | undefined;
  /** The user's own files; undefined for the files that the supervisor opened. */
  readonly stdoutPath: string | undefined;
  readonly stderrPath: string | undefined;
  /** Adds to the user's files rather than begin them anew. */
  readonly appends: boolean;
  readonly program: Program;
  /** Where the text of a script is. */
  readonly scriptPath: string;
}

/** Quotes `text` as one word of a POSIX shell. */
export const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Returns the text of the launch script. @throws INVALID_SPEC when the program cannot be run. */
export function launchScript(launch: Launch): string {
  const lines = [
    "unset LC_ALL",
    'fail() { printf "%s\\n" "$1" >&3; exit 125; }',
    ...[...launch.environment].map(([name, value]) => `export ${name}=${quote(value)}`),
    enterWorkdir(launch),
    ...redirect(launch),
    ...start(launch.program, launch.scriptPath),
  ];
  return `${lines.join("\n")}\n`;
}

function enterWorkdir({ workdir, workdirFallback }: Launch): string {
  const failure = `fail ${quote(`the working directory ${workdir} cannot be entered`)}`;
  const otherwise = workdirFallback === undefined ? failure : `cd ${quote(workdirFallback)} || ${failure}`;
  return `cd ${quote(workdir)} 2>/dev/null || ${otherwise}`;
}

/** A failed redirection of \`exec\` ends the shell, so each file is tried before. */
function redirect({ stdoutPath, stderrPath, appends }: Launch): readonly string[] {
  const operator = appends ? ">>" : ">";
  const open = (descriptor: string, path: string) => [
    `{ true; } 2>/dev/null ${operator}${quote(path)} || fail ${quote(`the output file ${path} cannot be written`)}`,
    `exec ${descriptor}>>${quote(path)}`,
  ];
  const lines: string[] = [];
  if (stdoutPath !== undefined) lines.push(...open("1", stdoutPath));
  if (stderrPath !== undefined && stderrPath !== stdoutPath) lines.push(...open("2", stderrPath));
  else if (stdoutPath !== undefined) lines.push("exec 2>&1");
  return lines;
}

function start(program: Program, scriptPath: string): readonly string[] {
  switch (program.kind) {
    case "entrypoint":
      return [`exec /bin/sh -c ${quote(text(program.command, "entrypoint"))} 3>&-`];
    case "argv":
      return [`exec ${program.argv.map((argument) => quote(text(argument, "argument"))).join(" ")} 3>&-`];
    case "script": {
      const [interpreter, argument] = shebangOf(program.text);
      const missing = `the interpreter ${interpreter} of the script cannot be run on this node`;
      const words = [interpreter, ...(argument === "" ? [] : [argument]), scriptPath].map(quote);
      return [`[ -x ${quote(interpreter)} ] || fail ${quote(missing)}`, `exec ${words.join(" ")} 3>&-`];
    }
  }
}

/**
 * Reads the first line of a script as the kernel does: interpreter and at most one
 * argument. The launch script starts it itself, so that a state directory mounted noexec
 * does no harm. @throws INVALID_SPEC when the script cannot be run.
 */
export function shebangOf(script: string): readonly [interpreter: string, argument: string] {
  text(script, "script");
  const line = script.slice(0, script.includes("\n") ? script.indexOf("\n") : undefined);
  if (!line.startsWith("#!")) throw refused("the script does not begin with #! and an interpreter");
  if (line.endsWith("\r")) throw refused("the script has Windows line ends (CRLF); convert it with dos2unix");
  const [, interpreter, argument] = /^#![ \t]*([^ \t]+)[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
  if (interpreter === undefined) throw refused("the script names no interpreter after #!");
  if (!interpreter.startsWith("/")) throw refused(`the script's interpreter ${interpreter} is no absolute path`);
  return [interpreter, argument ?? ""];
}

function text(value: string, what: string): string {
  if (value.includes("\0")) throw refused(`the ${what} holds a NUL character`);
  return value;
}

const refused = (message: string) => new LatticeError(fault("INVALID_SPEC", message));
