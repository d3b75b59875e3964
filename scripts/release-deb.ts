/** Debian packages of the server, the agent and the command-line tool. Installing one starts nothing: it is configured first. */
import { chmodSync, copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { layOut, run } from "./release-archive.ts";
import type { Architecture, Content, Contents } from "./release-contents.ts";
import { ROOT } from "./workspace.ts";

/** What a package is made from. */
export interface DebRequest {
  readonly name: string;
  readonly binary: string;
  readonly architecture: Architecture;
  readonly version: string;
  /** Seconds since the epoch. */
  readonly time: number;
  /** What the tarball of the same name holds besides the binary. */
  readonly tarball: Contents;
  /** An empty folder to build in. */
  readonly scratch: string;
  /** The file to write. */
  readonly to: string;
}

interface DebSpec {
  readonly summary: string;
  readonly detail: string;
  readonly depends: string;
  readonly section: string;
  /** Files by where they go; the key is the path in the tarball. */
  readonly places: Readonly<Record<string, string>>;
  readonly service?: string;
}

const MAINTAINER = "The Lattice maintainers <maintainers@lattice.invalid>";

/** The packages, by name. The simulator comes as a tarball only. */
export const DEBS: Readonly<Record<string, DebSpec>> = {
  "lattice-server": {
    summary: "workload manager for HPC and AI clusters: server",
    detail: "One member of the quorum of servers that schedules work on a cluster.",
    depends: "libc6 (>= 2.17), systemd",
    section: "admin",
    service: "lattice-server",
    places: {
      "infra/systemd/lattice-server.service": "lib/systemd/system/lattice-server.service",
      "infra/systemd/lattice.conf": "usr/lib/sysusers.d/lattice.conf",
      "infra/systemd/lattice-server.env": "etc/lattice/server.env",
      "config/production.yaml": "etc/lattice/config.yaml",
      "config/minimal.yaml": "usr/share/doc/lattice-server/examples/minimal.yaml",
      "infra/alerting/lattice-alerts.yaml": "usr/share/doc/lattice-server/examples/lattice-alerts.yaml",
    },
  },
  "lattice-agent": {
    summary: "workload manager for HPC and AI clusters: node agent",
    detail: "Runs the work of one compute node.",
    depends: "libc6 (>= 2.17), util-linux, systemd",
    section: "admin",
    service: "lattice-agent",
    places: {
      "infra/systemd/lattice-agent.service": "lib/systemd/system/lattice-agent.service",
      "infra/systemd/lattice-agent.env": "etc/lattice/agent.env",
    },
  },
  lattice: {
    summary: "workload manager for HPC and AI clusters: command-line tool",
    detail: "Submits work to a cluster, watches it and administers the cluster.",
    depends: "libc6 (>= 2.17)",
    section: "utils",
    places: {},
  },
};

/** Writes a package. */
export function packDeb(request: DebRequest): void {
  const { name, binary, scratch, to, time } = request;
  const spec = DEBS[name];
  if (spec === undefined) throw new Error(`there is no package ${name}`);
  // It becomes the root of the file system.
  chmodSync(scratch, 0o755);
  layOut(scratch, placed(spec, request));
  const program = join(scratch, "usr/bin", name);
  mkdirSync(dirname(program), { recursive: true, mode: 0o755 });
  copyFileSync(binary, program);
  chmodSync(program, 0o755);
  layOut(
    scratch,
    new Map(Object.entries(controlFiles(spec, request)).map(([file, text]) => [`DEBIAN/${file}`, { text }])),
  );
  for (const script of ["postinst", "prerm", "postrm"]) {
    if (spec.service !== undefined) chmodSync(join(scratch, "DEBIAN", script), 0o755);
  }
  // Secrets may be in there.
  for (const path of Object.values(spec.places)) if (path.endsWith(".env")) chmodSync(join(scratch, path), 0o600);
  run("dpkg-deb", ["--root-owner-group", "-Zgzip", "--build", scratch, to], { SOURCE_DATE_EPOCH: String(time) });
}

function placed({ places }: DebSpec, { name, tarball }: DebRequest): Contents {
  const files = new Map<string, Content>([[`usr/share/doc/${name}/copyright`, { from: "LICENSE" }]]);
  const notices = tarball.get("THIRD_PARTY_LICENSES");
  if (notices) files.set(`usr/share/doc/${name}/THIRD_PARTY_LICENSES`, notices);
  for (const [path, to] of [...Object.entries(places), ...manualPlaces(name, tarball)]) {
    const content = tarball.get(path);
    if (content === undefined) throw new Error(`${path} is not in the tarball of ${name}`);
    files.set(to, to.endsWith(".service") ? { text: atUsrBin(textOf(content)) } : content);
  }
  return files;
}

/** Where shells and man look. */
function manualPlaces(name: string, tarball: Contents): readonly (readonly [from: string, to: string])[] {
  const pages = [...tarball.keys()].filter((path) => path.startsWith("man/"));
  return [
    [`completions/${name}.bash`, `usr/share/bash-completion/completions/${name}`],
    [`completions/${name}.zsh`, `usr/share/zsh/vendor-completions/_${name}`],
    [`completions/${name}.fish`, `usr/share/fish/vendor_completions.d/${name}.fish`],
    ...pages.map((path) => [path, `usr/share/${path}`] as const),
  ];
}

const textOf = (content: Content): string =>
  "text" in content ? content.text : readFileSync(join(ROOT, content.from), "utf8");

/** Packages own /usr/bin; /usr/local is the administrator's. */
const atUsrBin = (unit: string): string => unit.replace("ExecStart=/usr/local/bin/", "ExecStart=/usr/bin/");

function controlFiles(spec: DebSpec, { name, version, architecture }: DebRequest): Record<string, string> {
  const conffiles = Object.values(spec.places).filter((path) => path.startsWith("etc/"));
  const control = [
    `Package: ${name}`,
    `Version: ${version}`,
    `Architecture: ${architecture.debian}`,
    `Maintainer: ${MAINTAINER}`,
    `Section: ${spec.section}`,
    "Priority: optional",
    `Depends: ${spec.depends}`,
    `Description: ${spec.summary}`,
    ` ${spec.detail}`,
  ];
  return {
    control: `${control.join("\n")}\n`,
    ...(conffiles.length > 0 && { conffiles: conffiles.map((path) => `/${path}\n`).join("") }),
    ...(spec.service !== undefined && scripts(spec.service)),
  };
}

/** A running service goes on with the new binary after an upgrade; a fresh one waits to be configured and enabled. */
const scripts = (service: string): Record<string, string> => ({
  postinst: script(
    'if [ "$1" = configure ]; then',
    ...(service === "lattice-server" ? ["  systemd-sysusers /usr/lib/sysusers.d/lattice.conf"] : []),
    "  if [ -d /run/systemd/system ]; then",
    "    systemctl daemon-reload",
    `    if [ -n "$2" ]; then systemctl try-restart ${service}.service; fi`,
    "  fi",
    "fi",
  ),
  prerm: script(
    `if [ "$1" = remove ] && [ -d /run/systemd/system ]; then systemctl disable --now ${service}.service; fi`,
  ),
  postrm: script("if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi"),
});

const script = (...lines: readonly string[]): string => ["#!/bin/sh", "set -e", ...lines, ""].join("\n");
