/** Walks the tree of commands, for what is generated from it: completions and the reference. */
import type { Command, Group } from "./grammar/command.ts";

/** A place in the tree. */
export type Place =
  | { readonly kind: "group"; readonly path: readonly string[]; readonly group: Group }
  | { readonly kind: "command"; readonly path: readonly string[]; readonly command: Command };

/** Returns every group and command, loaded, each group before its members. */
export async function walk(root: Group, path: readonly string[] = []): Promise<readonly Place[]> {
  const places: Place[] = [{ kind: "group", path, group: root }];
  for (const member of root.members) {
    const at = [...path, member.name];
    if (member.kind === "group") places.push(...(await walk(member, at)));
    else places.push({ kind: "command", path: at, command: await member.load() });
  }
  return places;
}
