/**
 * Shows, as root, whose account work runs as, from the token to the process: the built-in
 * mapping of the configuration, groups included, and who is refused. Skipped where the tests
 * are not root's: only root can make accounts and become them.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AgentProcess } from "../fixtures/agent-process.ts";
import { freePorts } from "../fixtures/free-ports.ts";
import { TempDir } from "../fixtures/temp-dir.ts";
import { aToken, SECRET } from "../fixtures/tokens.ts";
import { until } from "./cluster.ts";

const DIST = process.env.LATTICE_TEST_DIST ?? join(import.meta.dir, "../../dist");
const SERVER_PROGRAM = join(DIST, "lattice-server");
const AGENT_PROGRAM = join(DIST, "lattice-agent");
const IS_ROOT = process.getuid?.() === 0;
const PATIENCE_MS = 60_000;
const temp = new TempDir();
const ACCOUNT = `lat-ann-${process.pid}`;
const GROUP = `lat-grp-${process.pid}`;
const SYSTEM = `lat-sys-${process.pid}`;

let server: ReturnType<typeof Bun.spawn> | undefined;
let agent: AgentProcess | undefined;
let url = "";
let agentToken = "";

function command(...words: readonly string[]): void {
  const run = Bun.spawnSync([...words], { stderr: "pipe" });
  if (run.exitCode !== 0) throw new Error(`${words.join(" ")}: ${run.stderr.toString()}`);
}

beforeAll(async () => {
  if (!IS_ROOT) return;
  command("groupadd", GROUP);
  command("useradd", "--no-create-home", "--home-dir", "/tmp", "--groups", GROUP, ACCOUNT);
  command("useradd", "--system", "--no-create-home", SYSTEM);
  chmodSync(temp.path, 0o755);
  const [rest = 0, grpc = 0] = await freePorts(2);
  url = `http://127.0.0.1:${rest}`;
  const mapping = { "ann@site.example": ACCOUNT, "eve@site.example": "root", "mallory@site.example": SYSTEM };
  const lines = [
    `quorum: {data_dir: "${temp.join("raft")}"}`,
    `api: ${JSON.stringify({ rest_address: `127.0.0.1:${rest}`, grpc_address: `127.0.0.1:${grpc}`, account_mapping: mapping })}`,
    "storage: {}\ntelemetry: {}\n",
  ];
  writeFileSync(temp.join("server.yaml"), lines.join("\n"));
  server = Bun.spawn([SERVER_PROGRAM, "--config", temp.join("server.yaml"), "--bootstrap"], {
    env: { ...process.env, LATTICE_OIDC_HMAC_SECRET: SECRET },
    stderr: Bun.file(temp.join("server.log")),
  });
  agentToken = await aToken("agent-n1", { claims: { lattice_role: "agent" } });
  agent = AgentProcess.start({
    folder: temp.join("agent"),
    flags: ["--node-id=n1", `--quorum-endpoint=http://127.0.0.1:${grpc}`, "--cpu-cores=4", "--memory-gb=1"],
    env: { LATTICE_AGENT_TOKEN: agentToken },
    program: AGENT_PROGRAM,
  });
  await until("the agent is connected", () => agent?.log().includes('"message":"connected"') ?? false);
}, PATIENCE_MS);

afterAll(async () => {
  await agent?.stop();
  server?.kill("SIGTERM");
  await server?.exited;
  if (IS_ROOT) for (const name of [ACCOUNT, SYSTEM]) command("userdel", name);
  if (IS_ROOT) command("groupdel", GROUP);
  temp[Symbol.dispose]();
});

/** Runs `entrypoint` as the user of the token; returns how it ended, why, and its output. */
async function run(user: string, entrypoint: string) {
  const authorization = `Bearer ${await aToken("subject", { claims: { preferred_username: user } })}`;
  const headers = { authorization, "content-type": "application/json" };
  const body = JSON.stringify({ tenant: "default", entrypoint, requeue_policy: "never" });
  const made = await fetch(`${url}/api/v1/allocations`, { method: "POST", headers, body });
  const { allocation_id: id }: { allocation_id: string } = await made.json();
  const read = async (path = "") => (await fetch(`${url}/api/v1/allocations/${id}${path}`, { headers })).text();
  let told: { state: string; message: string; user: string } = { state: "", message: "", user: "" };
  await until("it has ended", async () => {
    told = JSON.parse(await read());
    return ["completed", "failed", "cancelled"].includes(told.state);
  });
  return { ...told, output: await read("/logs") };
}

const idOf = (...words: readonly string[]): string =>
  Bun.spawnSync(["id", ...words])
    .stdout.toString()
    .trim();

test.skipIf(!IS_ROOT)(
  "work of a mapped user runs as the account, with its groups and no way back, and stays the user's in the records",
  async () => {
    const script = "id -u; id -Gn; echo $USER; grep -E '^(CapEff|Uid)' /proc/self/status";
    const { state, output, user } = await run("ann@site.example", script);
    const uid = idOf("-u", ACCOUNT);
    expect([state, user]).toEqual(["completed", "ann@site.example"]);
    expect(output).toContain(GROUP);
    for (const text of [uid, ACCOUNT, "0000000000000000", [uid, uid, uid, uid].join("\\t")]) {
      expect(output.replaceAll("\t", "\\t")).toContain(text);
    }
  },
  PATIENCE_MS,
);

test.skipIf(!IS_ROOT).each([
  ["root, by a mapping", "eve@site.example", "is root, which may not run work"],
  ["root, by name", "root", "is root, which may not run work"],
  ["an account of the system", "mallory@site.example", "is the system's, which may not run work"],
  ["an account that is not there", "nobody-of-that-name", "this node has no account nobody-of-that-name"],
  ["a uid in the place of a name", "0", "cannot be the name of an account"],
])(
  "work does not run as %s",
  async (_, user, why) => {
    const { state, message } = await run(user, "id -u");
    expect(state).toBe("failed");
    expect(message).toContain(why);
  },
  PATIENCE_MS,
);

test.skipIf(!IS_ROOT)(
  "work sees no secret of the agent or the servers, in no environment and no command line",
  async () => {
    const script =
      "env; for f in /proc/[0-9]*/environ /proc/[0-9]*/cmdline; do tr '\\0' '\\n' <$f; done 2>/dev/null; true";
    const { state, output } = await run("ann@site.example", script);
    expect(state).toBe("completed");
    // What it could read, it has read.
    expect(output).toContain("LATTICE_ALLOC_ID");
    expect(output).toContain("--quorum-endpoint");
    for (const secret of [agentToken, SECRET]) {
      expect(output).not.toContain(secret);
    }
  },
  PATIENCE_MS,
);
