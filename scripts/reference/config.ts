/** docs/reference/config.md and config/production.yaml, both from the schema of the configuration. */
import { stringify } from "yaml";
import { z } from "zod";
import { inactiveCapability } from "../../src/config/inactive.ts";
import { isLive } from "../../src/config/live.ts";
import {
  CONFIG_KEYS,
  CONFIG_SCHEMA,
  environmentName,
  type KeyEntry,
  REQUIRED_SECTIONS,
  SECTION_MEANINGS,
} from "../../src/config/schema.ts";
import { code, generatedFrom, table } from "./markdown.ts";

const defaults: Readonly<Record<string, unknown>> = CONFIG_SCHEMA.parse({});

/** Returns docs/reference/config.md. */
export function renderConfigReference(): string {
  const section = (name: string) => {
    const need = REQUIRED_SECTIONS.includes(name) ? " A file must have this section; it may be empty (`{}`)." : "";
    const keys = CONFIG_KEYS.filter((k) => k.path.length === 2 && k.path[0] === name);
    return `## ${name}\n\n${SECTION_MEANINGS[name] ?? ""}${need}\n\n${keyTable(keys)}`;
  };
  return [
    generatedFrom("src/config"),
    "# Configuration",
    [
      "The server reads the file that `--config` names, else `/etc/lattice/config.yaml` if it exists, else it starts on",
      "the defaults. Every key can be set by its environment variable, which wins over the file; flags win over both.",
      "Text of a variable is read as the key's type, lists and tables as YAML. A secret is also read from the file that",
      "`LATTICE_<SECTION>_<KEY>_FILE` names, and is never printed. Relative paths start at the working directory.",
      "`lattice-server config check --config FILE` prints everything that is wrong with a file.",
    ].join("\n"),
    [
      "Keys marked † are accepted and not active in this build. A reload (SIGHUP) brings those marked ‡ into use; the",
      "others wait for a restart.",
    ].join("\n"),
    keyTable(CONFIG_KEYS.filter((k) => k.path.length === 1)),
    ...Object.keys(SECTION_MEANINGS).map(section),
  ]
    .join("\n\n")
    .concat("\n");
}

/** Returns config/production.yaml. */
export function renderProductionYaml(): string {
  const section = (name: string) => {
    const keys = CONFIG_KEYS.filter((k) => k.path.length === 2 && k.path[0] === name);
    return `# ${SECTION_MEANINGS[name] ?? ""}\n${name}:\n${keys.map((k) => indent(yamlKey(k))).join("\n")}`;
  };
  return [
    [
      "# Every key of a Lattice server's configuration, with its meaning and its default.",
      "# A key behind one '#' has no fixed default; its value is an example. A dagger (†) marks keys",
      "# that are accepted and not active in this build. Check a file with:",
      "#   lattice-server config check --config FILE",
      "# As it stands this file starts one open server on loopback: give api.oidc_issuer and",
      "# api.oidc_client_id (docs/operations/login.md) to let others in.",
    ].join("\n"),
    ...CONFIG_KEYS.filter((k) => k.path.length === 1).map(yamlKey),
    ...Object.keys(SECTION_MEANINGS).map(section),
  ]
    .join("\n\n")
    .concat("\n");
}

function keyTable(keys: readonly KeyEntry[]): string {
  const rows = keys.map((key) => {
    const mark = inactiveCapability(key.path) !== undefined ? " †" : isLive(key.path) ? " ‡" : "";
    const variables = [environmentName(key.path), ...(key.facts.aliases ?? [])].map(code).join(", ");
    return [code(key.path.at(-1) ?? "") + mark, typeInWords(key), defaultInWords(key), key.facts.meaning, variables];
  });
  return table(["key", "type", "default", "meaning", "environment"], rows);
}

function yamlKey(key: KeyEntry): string {
  const name = key.path.at(-1) ?? "";
  const { meaning, example, defaultInWords: words } = key.facts;
  const value = defaultOf(key);
  const mark = inactiveCapability(key.path) === undefined ? "" : "† ";
  const notes = [words === undefined ? "" : ` Default: ${words}.`];
  if (value !== undefined && example !== undefined) notes.push(` Example: ${example}`);
  const line = value === undefined ? `# ${name}: ${exampleText(example)}` : stringify({ [name]: value }).trimEnd();
  return `# ${mark}${meaning}${notes.join("")}\n${line}`;
}

const exampleText = (example = ""): string => (example.startsWith("[") ? example : JSON.stringify(example));

const indent = (text: string): string => text.replace(/^/gm, "  ");

function defaultOf({ path: [top = "", own] }: KeyEntry): unknown {
  const value = defaults[top];
  if (own === undefined) return value;
  return typeof value === "object" && value !== null ? new Map(Object.entries(value)).get(own) : undefined;
}

function defaultInWords(key: KeyEntry): string {
  const value = defaultOf(key);
  if (key.facts.defaultInWords !== undefined) return key.facts.defaultInWords;
  return value === undefined ? "" : code(JSON.stringify(value));
}

function typeInWords({ schema, facts }: KeyEntry): string {
  const json = z.toJSONSchema(schema, { unrepresentable: "any", io: "input" });
  const secret = facts.isSecret === true ? ", secret" : "";
  if (json.enum !== undefined) return `one of ${json.enum.map((v) => code(String(v))).join(", ")}`;
  switch (json.type) {
    case "integer":
      return `whole number, ${json.minimum} to ${json.maximum}`;
    case "boolean":
      return "true or false";
    case "array":
      return "list";
    case "object":
      return "table";
    default:
      return `text${secret}`;
  }
}
