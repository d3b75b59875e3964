/**
 * The one place that says which folder under src/ may import which.
 *
 * A folder may import itself and what its row lists. A longer path wins over
 * its parent. A file in a folder with no row fails the check.
 */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  gen: [],
  "core/domain": ["base"],
  "core/access": ["base", "core/domain"],
  "core/raft": ["base"],
  "core/state": ["base", "core/domain"],
  "core/scheduler": ["base", "core/domain"],
  "core/agent": ["base", "core/domain"],
  "core/slurm": ["base", "core/domain"],
  "core/backup": ["base", "core/domain", "core/state"],
  ports: ["base", "core"],
  wire: ["base", "core", "ports", "gen"],
  client: ["base", "core", "wire", "gen"],
  engine: ["base", "core", "ports"],
  io: ["base", "core", "ports", "wire", "client", "gen"],
  sim: ["base", "core", "ports", "engine"],
  replay: ["base", "core", "ports", "engine", "sim"],
  api: ["base", "core", "ports", "engine", "wire", "gen"],
  config: ["base", "core"],
  web: ["base", "gen"],
  cli: ["base", "core", "wire", "client", "config"],
  "cli/replay": ["base", "core", "config", "replay", "cli"],
  "bin/server-settings.ts": ["config", "core", "engine"],
  "bin/server-backups.ts": ["base", "core", "ports", "io", "config"],
  "bin/server-auth.ts": ["ports", "io", "api", "config"],
  "bin/workers": ["base", "core", "ports", "engine", "io", "config"],
  "bin/server-log.ts": ["bin/server-backups.ts", "ports", "io", "config"],
  "bin/server-reload.ts": ["ports", "io", "config"],
  "bin/server-tls.ts": ["ports", "io", "config"],
  "bin/server-run.ts": [
    "bin/server-reload.ts",
    "bin/server-settings.ts",
    "bin/server-backups.ts",
    "bin/server-auth.ts",
    "bin/server-log.ts",
    "bin/server-tls.ts",
    "core",
    "ports",
    "engine",
    "io",
    "api",
    "config",
    "bin/workers",
  ],
  "bin/lattice-server.ts": ["bin/server-run.ts", "bin/server-backups.ts", "core", "io", "config"],
  "bin/lattice-agent.ts": ["base", "core", "ports", "engine", "io", "api", "cli", "client", "config", "bin/workers"],
  "bin/lattice.ts": ["base", "core", "io", "cli", "client", "config"],
  "bin/rm-replay.ts": ["base", "core", "io", "cli", "config", "sim", "replay"],
};

/** Outside packages, and the only folders that may name them. First match decides. */
export const PACKAGES: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^bun:(sqlite|ffi)$/, ["io"]],
  [/^bun:bundle$/, ["bin", "config"]],
  [/^(bun|bun:.*|node:.*)$/, ["io", "cli", "config", "bin"]],
  [/^@?elysia/, ["api", "bin"]],
  [/^@connectrpc\//, ["api", "client", "io", "bin"]],
  [/^@bufbuild\//, ["gen", "wire", "client", "api", "io"]],
  [/^citty$/, ["cli", "bin"]],
  [/^/, ["io", "config", "cli", "replay", "api", "web"]],
];
