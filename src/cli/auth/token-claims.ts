/** What a token says, unchecked: servers check tokens; here they only fill in names and times. */

/** The claims of a token. */
export type Claims = Readonly<Record<string, unknown>>;

/** Returns the claims of a token; one that is no JSON web token has none. */
export function claimsOf(token: string): Claims {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"));
    return claims !== null && typeof claims === "object" ? { ...claims } : {};
  } catch {
    return {};
  }
}
