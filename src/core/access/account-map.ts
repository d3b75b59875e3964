/**
 * Which account of a node a user's work runs as. The identity provider knows people by names
 * of its own; the table of the configuration says which accounts those are. A user without a
 * row has the account of the same name; whether it exists, and may run work, is the node's
 * to say.
 */
import { type UserId, userId } from "../domain/ids.ts";

/** By user, or by "*@DOMAIN" for all of a domain; "*" stands for the part before the @. */
export type AccountMap = Readonly<Record<string, string>>;

/** What a row stands for in place of a name. */
const LOCAL_PART = "*";

/** Returns the account that `user` works as. */
export function accountOf(user: UserId, map: AccountMap): UserId {
  const at = user.lastIndexOf("@");
  const row = ownRow(map, user) ?? (at < 0 ? undefined : ownRow(map, `*${user.slice(at)}`));
  if (row === undefined) return user;
  return userId(row === LOCAL_PART && at > 0 ? user.slice(0, at) : row);
}

/** A user may be called like a member of every object. */
const ownRow = (map: AccountMap, name: string): string | undefined =>
  Object.hasOwn(map, name) ? map[name] : undefined;
