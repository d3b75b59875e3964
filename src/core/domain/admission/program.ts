/** Checks what is to be started, before anything is replicated. */
import type { Result } from "../../../base/result.ts";
import { ok } from "../../../base/result.ts";
import type { Program } from "../allocation.ts";
import type { AllocationRequest } from "../allocation-request.ts";
import type { Fault } from "../errors.ts";
import { refuse } from "../errors.ts";
import { LIMITS } from "../limits.ts";

/** Returns the one program of a request: a command line, a script with a shebang, or an argument vector. */
export function checkProgram(request: AllocationRequest): Result<Program, Fault> {
  const { entrypoint, script, argv } = request;
  const given = [entrypoint, script, argv?.length ? "argv" : undefined].filter((p) => p !== undefined && p !== "");
  if (given.length === 0) {
    return refuse("INVALID_BODY", "nothing to run", "give one of: entrypoint, script, argv");
  }
  if (given.length > 1) {
    return refuse("INVALID_SPEC", "more than one program", "give one of: entrypoint, script, argv");
  }
  if (script) return checkScript(script);
  if (argv?.length) return checkArgv(argv);
  const command = entrypoint ?? "";
  if (command.includes("\0")) return refuse("INVALID_SPEC", "entrypoint has a NUL character");
  if (command.length > LIMITS.scriptBytesMax) return refuse("TOO_LARGE", "entrypoint is too long");
  return ok({ command, kind: "entrypoint" });
}

function checkScript(text: string): Result<Program, Fault> {
  if (text.length > LIMITS.scriptBytesMax) {
    const most = `${LIMITS.scriptBytesMax / 1_048_576} MiB`;
    return refuse("TOO_LARGE", `the script has ${text.length} characters, more than ${most}`);
  }
  if (text.includes("\0")) return refuse("INVALID_SPEC", "the script has a NUL character: it is not a text file");
  if (!text.startsWith("#!")) {
    return refuse("INVALID_SPEC", "the script does not begin with #!", "begin it with a line like #!/bin/bash");
  }
  const firstLine = text.slice(2, text.indexOf("\n") < 0 ? undefined : text.indexOf("\n"));
  if (text.includes("\r\n")) {
    return refuse("INVALID_SPEC", "the script has DOS line ends (CR LF)", "convert it, for example with: dos2unix");
  }
  if (!firstLine.trim().startsWith("/")) {
    return refuse(
      "INVALID_SPEC",
      `the script names the interpreter ${JSON.stringify(firstLine.trim())}`,
      "name it by its absolute path",
    );
  }
  return ok({ kind: "script", text });
}

function checkArgv(argv: readonly string[]): Result<Program, Fault> {
  if (argv.length > LIMITS.argumentsMax) return refuse("TOO_LARGE", `argv has ${argv.length} arguments`);
  if (argv[0] === "") return refuse("INVALID_SPEC", "argv names an empty program");
  if (argv.some((arg) => arg.includes("\0"))) return refuse("INVALID_SPEC", "argv has a NUL character");
  return ok({ argv, kind: "argv" });
}
