/**
 * Shows how a node gets its certificate of the servers, with the built server, agents and command
 * line: a join token is good for one node and one key; the certificate is kept,
 * used after a restart, and renewed in time while the stream goes on; what was not signed by
 * the servers' authority is not renewed; the port where nodes join answers nothing else.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { IdentityService, JoinService } from "../../src/gen/lattice/v1/identity_pb.ts";
import { requestCertificate } from "../../src/io/ca/certificate-request.ts";
import { AgentProcess } from "../fixtures/agent-process.ts";
import { freePorts } from "../fixtures/free-ports.ts";
import { type IssuedFiles, OpensslAuthority } from "../fixtures/openssl-authority.ts";
import { TempDir } from "../fixtures/temp-dir.ts";
import { until } from "./cluster.ts";

const HOST = "127.0.0.1";
const DIST = process.env.LATTICE_TEST_DIST ?? join(import.meta.dir, "../../dist");
const SERVER_PROGRAM = join(DIST, "lattice-server");
const AGENT_PROGRAM = join(DIST, "lattice-agent");
const PATIENCE_MS = 60_000;
const LIFETIME_S = 9;
const temp = new TempDir();
const site = new OpensslAuthority();
const other = new OpensslAuthority("another CA");
const SERVER = site.issue("server", { names: `IP:${HOST}` });
const ANN = site.issue("ann");
let server: ReturnType<typeof Bun.spawn>;
let [rest, grpc, joins] = [0, 0, 0];

beforeAll(async () => {
  [rest = 0, grpc = 0, joins = 0] = await freePorts(3);
  writeFileSync(temp.join("trusted.crt"), [site.ca, other.ca].map((path) => readFileSync(path, "utf8")).join(""));
  const config = {
    quorum: { data_dir: temp.join("raft") },
    api: {
      rest_address: `${HOST}:${rest}`,
      grpc_address: `${HOST}:${grpc}`,
      tls_cert: SERVER.cert,
      tls_key: SERVER.key,
      tls_ca: temp.join("trusted.crt"),
    },
    storage: {},
    telemetry: {},
    identity: { ca_cert: site.ca, signing_address: `${HOST}:${joins}`, cert_lifetime_seconds: LIFETIME_S },
  };
  writeFileSync(temp.join("server.yaml"), JSON.stringify(config));
  server = Bun.spawn([SERVER_PROGRAM, "--config", temp.join("server.yaml"), "--bootstrap"], {
    env: { ...process.env, LATTICE_IDENTITY_CA_KEY_FILE: `${site.dir}/ca.key` },
    stderr: Bun.file(temp.join("server.log")),
  });
  await until("the server listens", () => serverLog().includes("nodes join here"));
}, PATIENCE_MS);

afterAll(async () => {
  server.kill("SIGTERM");
  await server.exited;
  for (const one of [site, other, temp]) one[Symbol.dispose]();
});

const serverLog = (): string => readFileSync(temp.join("server.log"), "utf8");

/** Asks for a join token as an operator does. */
async function joinToken(...words: readonly string[]): Promise<string> {
  const shown = ["--server", `https://${HOST}:${rest}`, "--ca", site.ca, "--cert", ANN.cert, "--key", ANN.key];
  const run = Bun.spawn([join(DIST, "lattice"), ...shown, "admin", "join-token", ...words], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, complaint] = await Promise.all([new Response(run.stdout).text(), new Response(run.stderr).text()]);
  return out.trim() || complaint;
}

const start = (node: string, folder: string, token: string) =>
  AgentProcess.start({
    folder: temp.join(folder),
    flags: [
      ...[`--node-id=${node}`, `--quorum-endpoint=https://${HOST}:${grpc}`, `--bootstrap-ca=${site.ca}`],
      ...[`--signing-endpoint=https://${HOST}:${joins}`, "--spire-socket=/nowhere"],
    ],
    env: token === "" ? {} : { LATTICE_JOIN_TOKEN: token },
    program: AGENT_PROGRAM,
  });

const isConnected = (agent: AgentProcess) => agent.log().includes('"message":"connected"');

/** Calls with a certificate, or without one. */
function transportTo(port: number, as?: IssuedFiles) {
  const read = (path: string) => readFileSync(path, "utf8");
  const nodeOptions = { ca: read(site.ca), ...(as && { cert: read(as.cert), key: read(as.key) }) };
  return createGrpcTransport({ baseUrl: `https://${HOST}:${port}`, nodeOptions });
}

const codeOf = (answer: Promise<unknown>) =>
  answer.then(
    () => "let in",
    (error: unknown) => Code[ConnectError.from(error).code],
  );

test(
  "a node joins with a token, keeps its certificate, has it renewed in time, and comes back without a token",
  async () => {
    const token = await joinToken("n1", "--address", HOST);
    const agent = start("n1", "n1", token);
    await until("n1 is connected", () => isConnected(agent));
    expect(agent.log()).toContain(`"from":"the servers' authority"`);
    const kept = (file: string) => temp.join("n1", "state", "identity", file);
    const first = new X509Certificate(readFileSync(kept("node.crt")));
    expect(first.subjectAltName).toBe("URI:spiffe://lattice/agent/n1, DNS:n1, IP Address:127.0.0.1");
    expect([statSync(kept("node.key")).mode & 0o777, statSync(kept("")).mode & 0o777]).toEqual([0o600, 0o700]);
    await until("it is renewed", () => agent.log().includes("have renewed this node's certificate"));
    expect(new X509Certificate(readFileSync(kept("node.crt"))).serialNumber).not.toBe(first.serialNumber);
    expect(agent.log().split('"message":"connected"')).toHaveLength(2);
    await agent.stop();
    const again = start("n1", "n1", "");
    await until("n1 is back", () => isConnected(again));
    expect(again.log()).toContain("the certificate that the servers have signed is kept");
    await again.stop();
    expect(serverLog() + agent.log()).not.toContain(token);
  },
  PATIENCE_MS,
);

test(
  "INV-A4: a join token is good for one key: who comes second with it is refused, and so is its node with another key",
  async () => {
    const token = await joinToken("n2");
    const client = createClient(JoinService, transportTo(joins));
    const { csr } = await requestCertificate("n2");
    const [one, same] = [await client.join({ token, csr }), await client.join({ token, csr })];
    expect(new X509Certificate(one.certificate).subject).toBe(new X509Certificate(same.certificate).subject);
    const other = await requestCertificate("n2");
    expect(await codeOf(client.join({ token, csr: other.csr }))).toBe("PermissionDenied");
    const agent = start("n2", "thief", token);
    await until("the agent is told", () => agent.log().includes("the join token has been used with another key"));
    await agent.stop();
    const shown = ["--server", `https://${HOST}:${rest}`, "--ca", site.ca, "--cert", ANN.cert, "--key", ANN.key];
    const query = ["audit", "query", "--action", "lattice.agent.connect", "-o", "json"];
    await until("the audit log tells of it", () => {
      const { stdout } = Bun.spawnSync([join(DIST, "lattice"), ...shown, ...query]);
      const [entry] = JSON.parse(stdout.toString() || "[]");
      const { from, denied } = JSON.parse(entry?.details ?? "{}");
      return from === HOST && String(denied).includes("another key, for node n2");
    });
  },
  PATIENCE_MS,
);

test(
  "the names come from the token, whatever the request says; a token that was changed, is of others, or is late gets nothing",
  async () => {
    const client = createClient(JoinService, transportTo(joins));
    const { csr } = await requestCertificate("n9");
    const token = await joinToken("n3");
    const { certificate } = await client.join({ token, csr });
    expect(new X509Certificate(certificate).subjectAltName).toBe("URI:spiffe://lattice/agent/n3, DNS:n3");
    expect(new X509Certificate(certificate).subject).toBe("CN=n3");
    const [head, , signature] = token.split(".");
    const claims = Buffer.from(JSON.stringify({ jti: "x", sub: "n9", addresses: [], exp: 9e9 })).toString("base64url");
    for (const bad of [`${head}.${claims}.${signature}`, "", "e30.e30.e30"]) {
      expect(await codeOf(client.join({ token: bad, csr }))).toBe("Unauthenticated");
    }
    const late = await joinToken("n4", "--ttl", "1");
    await Bun.sleep(2_000);
    expect(await codeOf(client.join({ token: late, csr }))).toBe("Unauthenticated");
    expect(await codeOf(client.join({ token: await joinToken("n5"), csr: new Uint8Array([1, 2]) }))).toBe(
      "InvalidArgument",
    );
  },
  PATIENCE_MS,
);

test(
  "a token is made by who may, for names that are some, for a day at most",
  async () => {
    expect(await joinToken("n6", "--ttl", "99999")).toContain("12 hours at most");
    expect(await joinToken("*")).toContain("no host name");
    expect(await joinToken("n6", "--address", "*.example.com")).toContain("no host name");
    const n7 = createClient(IdentityService, transportTo(grpc, site.issue("n7", { names: "DNS:n7" })));
    expect(await codeOf(n7.createJoinToken({ nodeId: "n8" }))).toBe("PermissionDenied");
  },
  PATIENCE_MS,
);

test(
  "only what the servers' authority has signed as an agent is renewed, and the port where nodes join answers nothing else",
  async () => {
    const { csr } = await requestCertificate("n7");
    // The servers trust this authority for certificates of agents, and its agents have the same names.
    const foreign = other.issue("n7", { names: "DNS:n7", uri: "spiffe://lattice/agent/n7" });
    const own = site.issue("n7", { names: "DNS:n7" });
    for (const files of [foreign, own, ANN]) {
      const client = createClient(IdentityService, transportTo(grpc, files));
      expect(await codeOf(client.renewCertificate({ csr }))).toBe("PermissionDenied");
    }
    expect(await codeOf(createClient(IdentityService, transportTo(grpc)).renewCertificate({ csr }))).not.toBe("let in");
    const elsewhere = createClient(IdentityService, transportTo(joins, ANN));
    expect(await codeOf(elsewhere.createJoinToken({ nodeId: "n8" }))).not.toBe("let in");
  },
  PATIENCE_MS,
);

test.each([
  ["the key of another", () => other.ca, "identity.ca_key is not the key of identity.ca_cert"],
  ["no certificate of an authority", () => ANN.cert, "identity.ca_cert is not the certificate of an authority"],
])(
  "a server does not start with an authority that has %s, and says so",
  async (_, certificate, why) => {
    const api = { tls_cert: SERVER.cert, tls_key: SERVER.key, tls_ca: SERVER.ca, rest_address: `${HOST}:0` };
    const sections = { quorum: { data_dir: temp.join("none") }, storage: {}, telemetry: {} };
    writeFileSync(temp.join("bad.yaml"), JSON.stringify({ ...sections, api, identity: { ca_cert: certificate() } }));
    const run = Bun.spawn([SERVER_PROGRAM, "--config", temp.join("bad.yaml"), "--bootstrap"], {
      env: { ...process.env, LATTICE_IDENTITY_CA_KEY_FILE: `${site.dir}/ca.key` },
      stderr: "pipe",
    });
    expect(await new Response(run.stderr).text()).toContain(why);
    expect(await run.exited).toBe(2);
  },
  PATIENCE_MS,
);

test(
  "a node whose certificate is gone has to join again, and says how",
  async () => {
    const agent = start("n1", "fresh", "");
    await until("the agent says how", () => agent.log().includes("lattice admin join-token n1"));
    await agent.stop();
    rmSync(temp.join("fresh"), { recursive: true });
  },
  PATIENCE_MS,
);
