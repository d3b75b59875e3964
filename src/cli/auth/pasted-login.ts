/**
 * Logging in with another machine's browser, by hand: it ends at an address that leads
 * nowhere there, and the user brings that address here.
 */
import { UsageError } from "../grammar/usage-error.ts";
import { CALLBACK, requestAuthorization } from "./authorization-request.ts";
import type { LogIn } from "./login-world.ts";

/** Logs in by an address that the user pastes. */
export const logInByPaste: LogIn = async (provider, { scope, say, readLine }) => {
  const request = await requestAuthorization(provider, scope);
  say(
    `On any machine, open\n\n  ${request.address}\n\nand log in. The browser ends at a page that it cannot show, ${CALLBACK.address}?...\nPaste the whole address of that page here:`,
  );
  const line = (await readLine())?.trim();
  if (line === undefined || line === "") throw new UsageError("no address was pasted");
  const end = URL.parse(line);
  if (end === null || !end.href.startsWith(CALLBACK.address)) {
    throw new UsageError(`that is not an address that begins with ${CALLBACK.address}`, "run lattice login again");
  }
  return request.redeem(end);
};
