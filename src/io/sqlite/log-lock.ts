/** Whether a server runs on a data directory: it holds the lock of its log for as long as it lives. */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { hasLog } from "./log-store.ts";

/** Returns whether another process holds the log in `dir`. A log that is damaged is held by nobody. */
export function isLogInUse(dir: string): boolean {
  if (!hasLog(dir)) return false;
  try {
    using db = new Database(join(dir, "log.db"), { readonly: true });
    db.query("SELECT count(*) FROM meta").get();
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && /^SQLITE_(BUSY|LOCKED)/.test(String(error.code));
  }
}
