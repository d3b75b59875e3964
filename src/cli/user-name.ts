/** Who the servers take the caller for: the subject of the token, else the login name. */
import { readFileSync } from "node:fs";
import { savedLogin } from "./auth/bearer.ts";
import { claimsOf } from "./auth/token-claims.ts";
import type { Context } from "./context.ts";

/** Returns the name under which this caller's allocations are listed. */
export function userName({ settings }: Context): string {
  if (settings.token !== undefined) return nameIn(settings.token) ?? loginName();
  return savedLogin(settings.endpoints)?.user ?? loginName();
}

/** Returns the login name, which an open server is told. */
export function loginName(): string {
  const name = process.env.USER ?? process.env.LOGNAME ?? "";
  if (name !== "") return name;
  // Bun's userInfo() reads the same variables; only the system knows when they are missing.
  const listed = accountOf(process.getuid?.() ?? 0);
  if (listed !== undefined) return listed;
  const asked = Bun.spawnSync(["/usr/bin/id", "-un"], { stderr: "ignore" });
  return asked.exitCode === 0 ? asked.stdout.toString().trim() : "";
}

/** Looks a uid up in the local accounts: much faster than asking the name service. */
function accountOf(uid: number): string | undefined {
  try {
    const lines = readFileSync("/etc/passwd", "utf8").split("\n");
    return lines.find((line) => line.split(":")[2] === String(uid))?.split(":")[0];
  } catch {
    return undefined;
  }
}

/** Reads the name from the token without checking it: the server checks, this only fills in a filter. */
function nameIn(token: string): string | undefined {
  const { preferred_username: name, sub } = claimsOf(token);
  return [name, sub].find((claim) => typeof claim === "string");
}
