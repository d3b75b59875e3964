/** Reads the addresses of servers as people write them. */
import type { Result } from "../base/result.ts";
import { ok } from "../base/result.ts";
import type { Fault } from "../core/domain/errors.ts";
import { refuse } from "../core/domain/errors.ts";

/** Returns the base URLs in a comma-separated list; `host:port` means plain HTTP. */
export function parseEndpoints(text: string): Result<readonly string[], Fault> {
  const endpoints: string[] = [];
  for (const item of text.split(",")) {
    const address = item.trim();
    if (address === "") continue;
    const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(address) ? address : `http://${address}`);
    if (url === null || (url.protocol !== "http:" && url.protocol !== "https:") || url.search !== "") {
      return refuse("INVALID_SPEC", `"${address}" is not the address of a server: write http://host:8080 or host:8080`);
    }
    endpoints.push(`${url.origin}${url.pathname.replace(/\/+$/, "")}`);
  }
  return endpoints.length > 0 ? ok(endpoints) : refuse("INVALID_SPEC", "no address of a server is given");
}
