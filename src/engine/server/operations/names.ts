/** Names that operators choose: they appear in paths, tables and file names. */
import { fault, LatticeError } from "../../../core/domain/errors.ts";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** Returns `name`. @throws INVALID_SPEC when it could not be used in a path or a table. */
export function checkName(noun: string, name: string): string {
  if (!NAME.test(name)) {
    const next = "begin with a letter or digit; then letters, digits, '.', '_' and '-'; at most 63 in all";
    throw new LatticeError(fault("INVALID_SPEC", `${JSON.stringify(name)} is no name for a ${noun}`, next));
  }
  return name;
}
