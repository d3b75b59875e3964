/**
 * Shows that each start that fails says what is wrong, with the value, then what to do about it,
 * and ends with the status of docs/guide/troubleshooting.md: 2 where starting again cannot
 * help, 1 where it can. Refusals over a log on disk are in tests/e2e/server-refusals.test.ts.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CertificateAuthority } from "../../fixtures/certificates.ts";

const DIST = join(import.meta.dir, "../../../dist");
const dir = mkdtempSync(join(tmpdir(), "lattice-start-"));
const at = (name: string): string => join(dir, name);
const taken = createServer();
let port = 0;

beforeAll(async () => {
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const address = taken.address();
  port = typeof address === "object" && address ? address.port : 0;
  writeFileSync(at("file"), "");
  mkdirSync(at("folder"));
  const authority = new CertificateAuthority();
  const [mine, other] = [authority.issue("localhost"), authority.issue("localhost")];
  writeFileSync(at("mine.crt"), mine.cert);
  writeFileSync(at("other.key"), other.key, { mode: 0o600 });
  writeFileSync(at("ca.crt"), mine.ca);
});

afterAll(() => {
  taken.close();
  rmSync(dir, { recursive: true, force: true });
});

interface Failure {
  readonly name: string;
  /** Sections of the server's configuration file. */
  readonly yaml?: () => string;
  readonly flags?: () => readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly code: 1 | 2;
  /** What is said: what is wrong, then what to do. */
  readonly says: RegExp;
}

const api = (text: string) => `quorum: {data_dir: "${at("data")}"}\napi: ${text}\nstorage: {}\ntelemetry: {}\n`;
const quorum = (text: string) => `quorum: ${text}\napi: {}\nstorage: {}\ntelemetry: {}\n`;

const SERVER: readonly Failure[] = [
  {
    name: "a key that does not exist",
    yaml: () => quorum("{data_dri: /x}"),
    code: 2,
    says: /yaml:1: unknown key quorum\.data_dri; nearest: quorum\.data_dir\n {2}see: lattice-server config check/,
  },
  {
    name: "a section that is missing",
    yaml: () => "quorum: {}\napi: {}\nstorage: {}\n",
    code: 2,
    says: /telemetry.*\n {2}see: lattice-server config check/,
  },
  {
    name: "a file that is no YAML",
    yaml: () => "quorum: [",
    code: 2,
    says: /yaml:\d+: .*\n {2}see: lattice-server config check/,
  },
  {
    name: "no such file",
    flags: () => ["--config", at("gone.yaml")],
    code: 2,
    says: /gone\.yaml does not exist\n {2}see: lattice-server config check/,
  },
  {
    name: "a value of another type in a variable",
    env: { LATTICE_QUORUM_NODE_ID: "one" },
    code: 2,
    says: /LATTICE_QUORUM_NODE_ID: quorum\.node_id: must be a number, not "one"/,
  },
  {
    name: "a flag that does not exist",
    flags: () => ["--boostrap"],
    code: 2,
    says: /unknown flag --boostrap; nearest: --bootstrap\n {2}see --help/,
  },
  {
    name: "a data directory that cannot be made",
    flags: () => ["--data-dir", at("file/data"), "--bootstrap"],
    code: 2,
    says: /quorum\.data_dir: .*file.*\n {2}see: lattice-server config check/,
  },
  {
    name: "no log, no peers, no --bootstrap",
    flags: () => ["--data-dir", at("folder")],
    code: 1,
    says: /there is no log in .*folder\n {2}start a new cluster with --bootstrap, or correct quorum\.data_dir/,
  },
  {
    name: "a REST port in use",
    flags: () => ["--data-dir", at("rest"), "--bootstrap", "--rest-addr", `127.0.0.1:${port}`],
    code: 1,
    says: /127\.0\.0\.1:\d+ is in use by another process\n {2}end that process \(ss -ltnp shows it\), or .*api\.rest_address/,
  },
  {
    name: "a gRPC port in use",
    flags: () => ["--data-dir", at("grpc"), "--bootstrap", "--grpc-addr", `127.0.0.1:${port}`],
    code: 1,
    says: /127\.0\.0\.1:\d+ is in use by another process\n {2}end that process .*api\.grpc_address/,
  },
  {
    name: "an address of another machine",
    flags: () => ["--data-dir", at("away"), "--bootstrap", "--rest-addr", "203.0.113.9:8080"],
    code: 1,
    says: /203\.0\.113\.9:8080 is no address of this machine\n {2}choose an address that the machine has/,
  },
  {
    name: "a port of the replicated log in use",
    yaml: () => quorum(`{data_dir: "${at("raft")}", raft_listen_address: "127.0.0.1:${port}", bootstrap: true}`),
    code: 1,
    says: /where the other servers dial, is in use by another process".*"next":"end that process, or set another quorum\.raft/,
  },
  {
    name: "certificates that are not there",
    yaml: () => api(`{tls_cert: "${at("no.crt")}", tls_key: "${at("no.key")}"}`),
    code: 2,
    says: /api\.tls_cert: .*no\.crt does not exist\n.*api\.tls_key: .*no\.key does not exist/,
  },
  {
    name: "a key of another certificate",
    yaml: () => api(`{tls_cert: "${at("mine.crt")}", tls_key: "${at("other.key")}", tls_ca: "${at("ca.crt")}"}`),
    code: 2,
    says: /other\.key is not the key of the certificate in .*mine\.crt.*\n {2}put the files named right/,
  },
];

const AGENT: readonly Failure[] = [
  {
    name: "a flag that does not exist",
    flags: () => ["--quorm-endpoint=http://a:1"],
    code: 2,
    says: /unknown flag --quorm-endpoint; nearest: --quorum-endpoint\n {2}see --help/,
  },
  {
    name: "an endpoint that is none",
    flags: () => ["--quorum-endpoint=grpc://lattice-01"],
    code: 2,
    says: /--quorum-endpoint must be a URL as http:\/\/lattice-01:50051, not "grpc:\/\/lattice-01"/,
  },
  {
    name: "a number that is none",
    env: { LATTICE_GPU_COUNT: "four" },
    code: 2,
    says: /--gpu-count must be a whole number of at least 0, not "four"/,
  },
  {
    name: "a state directory that cannot be made",
    flags: () => ["--state-dir", at("file/state")],
    code: 1,
    says: /the state directory .*file\/state cannot be used.*\n {2}choose a directory that the agent may write/,
  },
  {
    name: "a port in use",
    flags: () => ["--grpc-addr", `127.0.0.1:${port}`],
    code: 1,
    says: /127\.0\.0\.1:\d+ is in use by another process\n {2}end that process .*--grpc-addr/,
  },
  {
    name: "certificates that are not there",
    flags: () => [
      "--quorum-endpoint=https://127.0.0.1:1",
      `--bootstrap-cert=${at("no.crt")}`,
      `--bootstrap-key=${at("no.key")}`,
    ],
    code: 2,
    says: /no\.crt does not exist\n.*no\.key does not exist\n {2}put the files named right, then start again/,
  },
];

const PROGRAMS: readonly (readonly [string, readonly string[], readonly Failure[]])[] = [
  ["lattice-server", ["--rest-addr=127.0.0.1:0", "--grpc-addr=127.0.0.1:0"], SERVER],
  ["lattice-agent", ["--grpc-addr=127.0.0.1:0", `--state-dir=${at("agent")}`], AGENT],
];

for (const [program, usual, failures] of PROGRAMS) {
  describe(program, () => {
    for (const { name, yaml, flags, env, code, says } of failures) {
      test(`${name} is said, with what to do`, () => {
        const own = [...(flags?.() ?? [])];
        if (yaml) {
          writeFileSync(at("server.yaml"), yaml());
          own.push("--config", at("server.yaml"));
        }
        const given = usual.filter((flag) => !own.some((word) => word.split("=")[0] === flag.split("=")[0]));
        const vars = { PATH: process.env.PATH ?? "", ...env };
        const run = Bun.spawnSync([join(DIST, program), ...given, ...own], { env: vars, timeout: 15_000 });
        const said = run.stderr.toString();
        expect(said).toMatch(says);
        expect(run.exitCode).toBe(code);
        expect(said).not.toContain("    at ");
      }, 20_000);
    }
  });
}

test("help is readable at 80 columns", () => {
  for (const program of ["lattice-server", "lattice-agent", "lattice", "rm-replay"]) {
    const { stdout } = Bun.spawnSync([join(DIST, program), "--help"], { env: { PATH: process.env.PATH ?? "" } });
    const lines = stdout.toString().split("\n");
    expect(lines.length).toBeGreaterThan(10);
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
  }
});
