/**
 * Settings from the environment: LATTICE_<SECTION>_<KEY> for every key, a few older
 * names, and LATTICE_<SECTION>_<KEY>_FILE for secrets. The text of a variable is read as
 * the key's type: as it stands where the key is text, else as YAML.
 */
import { parse } from "yaml";
import { nearest } from "../base/nearest.ts";
import { CONFIG_KEYS, environmentName, type KeyEntry, SECTIONS } from "./schema.ts";

/** One value that takes the place of what the file says. */
export interface Override {
  readonly path: readonly string[];
  readonly value: unknown;
  /** The variable or flag it came from. */
  readonly source: string;
}

/** What the environment holds. */
export interface EnvironmentReading {
  readonly overrides: readonly Override[];
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** Variables of other programs that begin like a key of a section. */
const FOREIGN: ReadonlySet<string> = new Set(["LATTICE_API_URL", "LATTICE_QUORUM_ENDPOINT"]);

/** Returns the settings in `env`; `readText` reads the files that *_FILE variables name. */
export function readEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  readText: (path: string) => string,
): EnvironmentReading {
  const overrides: Override[] = [];
  const problems: string[] = [];
  for (const key of CONFIG_KEYS) {
    for (const source of [...(key.facts.aliases ?? []), environmentName(key.path)]) {
      const text = env[source];
      if (text !== undefined && text !== "") overrides.push({ path: key.path, value: typed(key, text), source });
      if (key.facts.isSecret !== true || overrides.at(-1)?.source === source) continue;
      const file = env[`${source}_FILE`];
      if (file === undefined || file === "") continue;
      try {
        const value = readText(file).replace(/\r?\n$/, "");
        overrides.push({ path: key.path, value, source: `${source}_FILE` });
      } catch (cause) {
        problems.push(`${source}_FILE: cannot read ${file}: ${cause instanceof Error ? cause.message : String(cause)}`);
      }
    }
  }
  return { overrides, problems, warnings: unknownVariables(env) };
}

/** Names of every variable that sets a key. */
export const VARIABLES: ReadonlySet<string> = new Set(
  CONFIG_KEYS.flatMap((key) => {
    const names = [environmentName(key.path), ...(key.facts.aliases ?? [])];
    return key.facts.isSecret === true ? [...names, ...names.map((n) => `${n}_FILE`)] : names;
  }),
);

function typed(key: KeyEntry, text: string): unknown {
  if (key.schema.safeParse(text).success) return text;
  try {
    return parse(text);
  } catch {
    return text;
  }
}

/** A mistyped variable would be passed over in silence: it is named instead. */
function unknownVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const prefixes = SECTIONS.map((s) => `LATTICE_${s.toUpperCase()}_`);
  return Object.keys(env)
    .filter((name) => prefixes.some((p) => name.startsWith(p)) && !VARIABLES.has(name) && !FOREIGN.has(name))
    .map((name) => {
      const guess = nearest(name, VARIABLES);
      return `the environment variable ${name} sets no key${guess === undefined ? "" : `; nearest: ${guess}`}`;
    });
}
