/**
 * What is particular to secrets of Vault: how to log in, and which fields of its sections set
 * which keys. A secret that Vault holds wins over every other source; one that it does not
 * hold comes from those, with a warning; a Vault that cannot be read stops the start.
 */
import { nearest } from "../../base/nearest.ts";
import { LatticeError, nextStep } from "../../core/domain/errors.ts";
import type { EnvironmentReading, Override } from "../environment.ts";
import { OPTIONAL } from "../optional-sections.ts";
import type { ConfigFiles } from "../reachable.ts";
import { Secret } from "../redact.ts";
import { CONFIG_KEYS } from "../schema.ts";

/** How to ask Vault. */
export interface VaultLogin {
  /** Base URL, without a slash at its end. */
  readonly address: string;
  readonly roleId: string;
  readonly secretId: Secret;
  readonly prefix: string;
  /** Authorities of Vault's certificate, PEM. */
  readonly ca?: string;
  readonly timeoutMs: number;
}

/** What the section says: a login, or why there is none. */
export interface VaultReading {
  readonly login?: VaultLogin;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** Reads the fields of one section of Vault; undefined when there are none. */
export type ReadSection = (section: string) => Promise<Readonly<Record<string, unknown>> | undefined>;

type Environment = Readonly<Record<string, string | undefined>>;

/** Returns how the section `vault`, with the environment, lets the server log in. A section of the wrong shape is the schema's to say. */
export function vaultOf(section: unknown, env: Environment, files: ConfigFiles): VaultReading {
  const parsed = OPTIONAL.vault.safeParse(section);
  const { address, role_id: roleId, secret_id_env, tls_ca_path, prefix, timeout_secs } = parsed.data ?? {};
  if (address === undefined || secret_id_env === undefined) return { problems: [], warnings: [] };
  const problems: string[] = [];
  if (roleId === undefined) problems.push("vault.role_id: needed beside vault.address: the role id of the AppRole");
  const secretId = secretIdOf(secret_id_env, env, { files, problems });
  const ca = caOf(tls_ca_path, files);
  const isLocal = /^(localhost|127\..*|\[::1\])$/.test(new URL(address).hostname);
  const warnings =
    address.startsWith("http:") && !isLocal ? [`vault.address: the secrets come from ${address} in clear text`] : [];
  if (problems.length > 0 || roleId === undefined || secretId === undefined) return { problems, warnings };
  const login = {
    address: address.replace(/\/+$/, ""),
    roleId,
    secretId,
    prefix: (prefix ?? "").replace(/^\/+|\/+$/g, ""),
    ...(ca !== undefined && { ca }),
    timeoutMs: (timeout_secs ?? 0) * 1_000,
  };
  return { login, problems, warnings };
}

function secretIdOf(
  name: string,
  env: Environment,
  { files, problems }: { readonly files: ConfigFiles; readonly problems: string[] },
): Secret | undefined {
  const [text, file] = [env[name], env[`${name}_FILE`]];
  if (text !== undefined && text !== "") return new Secret(text);
  if (file === undefined || file === "") {
    problems.push(
      `vault.secret_id_env: neither ${name} nor ${name}_FILE is set: put the secret id of the AppRole there`,
    );
    return undefined;
  }
  const obstacle = files.obstacle(file, "file");
  if (obstacle === undefined) return new Secret(files.readText(file).trim());
  problems.push(`${name}_FILE: ${obstacle}`);
  return undefined;
}

/** A file that cannot be read is the loader's to say. */
const caOf = (path: string | undefined, files: ConfigFiles): string | undefined =>
  path === undefined || files.obstacle(path, "file") !== undefined ? undefined : files.readText(path);

/** What Vault holds, and everything that is wrong there. */
export interface VaultSecrets extends EnvironmentReading {
  /** Those of the problems that may pass by themselves. */
  readonly outages: readonly string[];
}

/** Returns every secret that Vault holds, with everything that is wrong there; throws nothing. */
export async function readVaultSecrets({ prefix }: VaultLogin, read: ReadSection): Promise<VaultSecrets> {
  const overrides: Override[] = [];
  const problems: string[] = [];
  const outages = new Set<string>();
  const warnings: string[] = [];
  for (const [section, fields] of secretFields()) {
    const path = `${prefix}/${section}`;
    const found = await read(section).catch((error: unknown) => {
      if (!(error instanceof LatticeError)) throw error;
      const problem = `vault: ${error.message}: ${nextStep(error.fault)}`;
      problems.push(problem);
      if (error.fault.reason === "SERVER_UNREACHABLE") outages.add(problem);
    });
    for (const [field, value] of Object.entries(found ?? {})) {
      const source = `Vault ${path}#${field}`;
      if (!fields.includes(field)) {
        const guess = nearest(field, fields);
        warnings.push(`${source} sets no secret${guess === undefined ? "" : `; nearest: ${guess}`}`);
      } else if (typeof value !== "string" || value === "") {
        problems.push(`${source}: must be a text that is not empty`);
      } else {
        overrides.push({ path: [section, field], value, source });
      }
    }
  }
  return { overrides, problems: [...new Set(problems)], outages: [...outages], warnings };
}

/** The secret keys of each section that has some. */
function secretFields(): ReadonlyMap<string, readonly string[]> {
  const fields = new Map<string, readonly string[]>();
  for (const { path, facts } of CONFIG_KEYS) {
    const [section, field] = path;
    if (facts.isSecret !== true || section === undefined || field === undefined) continue;
    fields.set(section, [...(fields.get(section) ?? []), field]);
  }
  return fields;
}
