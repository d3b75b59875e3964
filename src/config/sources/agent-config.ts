/** What an agent takes from a configuration file: the section `identity`, as if it had been given by flags. */
import { z } from "zod";
import { OPTIONAL } from "../optional-sections.ts";
import { problemsOf } from "../problems.ts";
import type { ConfigFiles } from "../reachable.ts";
import { readYaml, record } from "./yaml-source.ts";

/** Values by flag, and everything that is wrong. */
export interface AgentConfig {
  readonly values: ReadonlyMap<string, string>;
  readonly problems: readonly string[];
}

/** Which keys an agent acts on, and the flag that each stands for. */
const FLAG_OF = {
  spire_socket: "spire-socket",
  signing_endpoint: "signing-endpoint",
  bootstrap_cert: "bootstrap-cert",
  bootstrap_key: "bootstrap-key",
  bootstrap_ca: "bootstrap-ca",
} as const;

/** Reads the file at `path`; the other sections are the servers'. */
export function readAgentConfig(path: string, files: ConfigFiles): AgentConfig {
  const obstacle = files.obstacle(path, "file");
  if (obstacle !== undefined) return { values: new Map(), problems: [`--config: ${obstacle}`] };
  const yaml = readYaml(path, files.readText(path));
  if ("problems" in yaml) return { values: new Map(), problems: yaml.problems };
  const own = { identity: yaml.data.identity ?? {} };
  const parsed = z.object({ identity: OPTIONAL.identity }).safeParse(own);
  const found = parsed.success ? [] : parsed.error.issues.flatMap((issue) => problemsOf(issue, own));
  const given = Object.entries(FLAG_OF).flatMap(([key, flag]) => {
    const value = record(own.identity)[key];
    return typeof value === "string" ? [[flag, value] as const] : [];
  });
  const problems = found.map(({ path: at, text }) => `${yaml.place(at)}: ${text}`);
  return { values: new Map(given), problems };
}
