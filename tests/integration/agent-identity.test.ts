/**
 * Shows the identity cascade of an agent process against a server that wants client
 * certificates: SPIRE over its real protocol, late and rotated, before the bootstrap
 * certificate, before the token; each step is in the log, and no stream ends for a rotation.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { createApi } from "../../src/api/create-api.ts";
import { readCertificates } from "../../src/config/certificate-files.ts";
import { nodeId } from "../../src/core/domain/ids.ts";
import type { Listener } from "../../src/io/http/handlers.ts";
import { listenRpc } from "../../src/io/http/rpc-listener.ts";
import { SpireSource } from "../../src/io/identity/spire-source.ts";
import { hmacVerifier } from "../../src/io/oidc/hmac-verifier.ts";
import { systemClock } from "../../src/io/system-clock.ts";
import { CertificateKeeper } from "../../src/io/tls/certificate-keeper.ts";
import { until } from "../e2e/cluster.ts";
import { AgentProcess } from "../fixtures/agent-process.ts";
import { OpensslAuthority } from "../fixtures/openssl-authority.ts";
import { keepingLogger, type LogLine } from "../fixtures/peer-networks.ts";
import { PYTHON_GRPC } from "../fixtures/python-grpc.ts";
import { SpireAgent, svidOf } from "../fixtures/spire-agent.ts";
import { TempDir } from "../fixtures/temp-dir.ts";
import type { TestServer } from "../fixtures/test-server.ts";
import { startTestServer } from "../fixtures/test-server.ts";
import { aToken, SECRET } from "../fixtures/tokens.ts";

const HOST = "127.0.0.1";
const PATIENCE_MS = 60_000;
const temp = new TempDir();
const site = new OpensslAuthority();
const trustDomain = new OpensslAuthority("SPIRE");
const lines: LogLine[] = [];
const SERVER = site.issue("server", { names: `IP:${HOST}` });
/** Both authorities count: the site's and the trust domain's. */
const CA = temp.join("ca.pem");
writeFileSync(CA, readFileSync(site.ca));
appendFileSync(CA, readFileSync(trustDomain.ca));
const keeper = new CertificateKeeper({
  paths: [SERVER.cert],
  read: () => readCertificates({ ...SERVER, ca: CA }, Date.now()),
  clock: systemClock,
  log: keepingLogger(lines),
});
let world: TestServer;
let guarded: Listener;
let plain: Listener;

beforeAll(async () => {
  world = await startTestServer();
  const faces = createApi({ server: world.server, auth: { verifier: hmacVerifier(SECRET) } });
  guarded = await listenRpc({ host: HOST, port: 0 }, faces, { keeper, log: keepingLogger(lines) });
  plain = await listenRpc({ host: HOST, port: 0 }, faces);
});

afterAll(async () => {
  keeper.close();
  await Promise.all([guarded.close(0), plain.close(0)]);
  await world.stop();
  for (const one of [site, trustDomain, temp]) one[Symbol.dispose]();
});

/** An identity of `node`, as a SPIRE server with a -dns entry makes it. */
const svid = (node: string, file = node) => {
  const uri = `spiffe://site.example/agent/${node}`;
  return svidOf(trustDomain.issue(file, { subject: node, names: `DNS:${node},IP:${HOST}`, uri }), uri);
};

interface Started {
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly endpoint?: string;
}

const start = (node: string, { flags = [], env = {}, endpoint = `https://${HOST}:${guarded.port}` }: Started) =>
  AgentProcess.start({
    folder: temp.join(node),
    flags: [`--node-id=${node}`, `--quorum-endpoint=${endpoint}`, `--bootstrap-ca=${site.ca}`, ...flags],
    env,
  });

const isRegistered = (node: string) => world.server.replica.state.tables.nodes.has(nodeId(node));

test(
  "SPIRE gives a node its identity, which wins over the bootstrap certificate, and is rotated while the stream goes on",
  async () => {
    const socket = temp.join("spire-1.sock");
    const spire = await SpireAgent.start(socket);
    spire.rotate(svid("other"), svid("n1"));
    const { cert, key } = site.issue("n1-boot", { names: `DNS:n1,IP:${HOST}` });
    const agent = start("n1", {
      flags: [`--spire-socket=${socket}`, `--bootstrap-cert=${cert}`, `--bootstrap-key=${key}`],
    });
    await until("n1 is registered", () => isRegistered("n1"));
    expect(agent.log()).toContain('"from":"SPIRE"');
    spire.rotate(svid("n1", "n1-next"));
    await until(
      "the rotation is taken",
      () => agent.log().split("SPIRE has given this node its identity").length === 3,
    );
    expect(agent.log().split('"message":"connected"')).toHaveLength(2);
    expect(agent.log()).not.toContain("no server");
    expect(spire.streams).toBe(1);
    await agent.stop();
    spire.stop();
  },
  PATIENCE_MS,
);

test(
  "without SPIRE the bootstrap certificate is used, until SPIRE is there",
  async () => {
    const socket = temp.join("spire-2.sock");
    const { cert, key } = site.issue("n2", { names: `DNS:n2,IP:${HOST}` });
    const agent = start("n2", {
      flags: [`--spire-socket=${socket}`, `--bootstrap-cert=${cert}`, `--bootstrap-key=${key}`],
    });
    await until("n2 is registered", () => isRegistered("n2"));
    expect(agent.log()).toContain("there is no SPIRE agent on this node");
    expect(agent.log()).toContain('"from":"bootstrap files"');
    const spire = await SpireAgent.start(socket);
    spire.rotate(svid("n2", "n2-spire"));
    await until("SPIRE takes over", () => agent.log().includes('"from":"SPIRE"'));
    expect(agent.log()).not.toContain("no server");
    await agent.stop();
    spire.stop();
  },
  PATIENCE_MS,
);

test(
  "an identity of another node does not let in as this one",
  async () => {
    const socket = temp.join("spire-3.sock");
    const spire = await SpireAgent.start(socket);
    spire.rotate(svid("n8"));
    const agent = start("n3", { flags: [`--spire-socket=${socket}`] });
    await until("n3 is refused", () => agent.log().includes("the server refuses this agent"));
    expect(agent.log()).toContain("n8");
    expect(isRegistered("n3")).toBe(false);
    await agent.stop();
    spire.stop();
  },
  PATIENCE_MS,
);

test(
  "a node without any certificate shows its token, and one without a token is told what to give it, and kept out",
  async () => {
    const endpoint = `http://${HOST}:${plain.port}`;
    const token = await aToken("agent-n4", { claims: { lattice_role: "agent" } });
    const shown = start("n4", { endpoint, env: { LATTICE_AGENT_TOKEN: token } });
    const mute = start("n5", { endpoint });
    await until("n4 is registered", () => isRegistered("n4"));
    expect(shown.log()).toContain("this node has no certificate and shows its token");
    await until("n5 is refused", () => mute.log().includes("the server refuses this agent"));
    expect(mute.log()).toContain("neither a certificate nor a token");
    expect(isRegistered("n5")).toBe(false);
    await Promise.all([shown.stop(), mute.stop()]);
  },
  PATIENCE_MS,
);

/** A SPIRE agent by another implementation of gRPC: that of its C core. */
const PYTHON = `
import sys, time, grpc
from concurrent import futures
def field(n, b): return bytes([n << 3 | 2]) + varint(len(b)) + b
def varint(n):
    out = b""
    while n > 127: out += bytes([n & 127 | 128]); n >>= 7
    return out + bytes([n])
read = lambda p: open(p, "rb").read()
def fetch(request, context):
    if dict(context.invocation_metadata()).get("workload.spiffe.io") != "true":
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "security header missing from request")
    _, socket, cert, key, ca, uri = sys.argv
    yield field(1, field(1, uri.encode()) + field(2, read(cert)) + field(3, read(key)) + field(4, read(ca)))
    time.sleep(60)
handler = grpc.method_handlers_generic_handler("SpiffeWorkloadAPI",
    {"FetchX509SVID": grpc.unary_stream_rpc_method_handler(fetch)})
server = grpc.server(futures.ThreadPoolExecutor(2))
server.add_generic_rpc_handlers((handler,))
server.add_insecure_port("unix:" + sys.argv[1])
server.start()
server.wait_for_termination()
`;

test.skipIf(PYTHON_GRPC === undefined)(
  "the Workload API of another implementation of gRPC is understood (python3-grpcio; skipped where it is missing)",
  async () => {
    const socket = temp.join("python.sock");
    const uri = "spiffe://site.example/agent/n6";
    const identity = svidOf(trustDomain.issue("n6", { names: "DNS:n6", uri }), uri);
    const files = { cert: identity.x509Svid, key: identity.x509SvidKey, ca: identity.bundle };
    for (const [name, bytes] of Object.entries(files)) writeFileSync(temp.join(`n6.${name}.der`), bytes);
    const paths = Object.keys(files).map((name) => temp.join(`n6.${name}.der`));
    const peer = Bun.spawn([PYTHON_GRPC ?? "", "-c", PYTHON, socket, ...paths, uri], { stderr: "inherit" });
    await until("it listens", () => existsSync(socket));
    const spire = new SpireSource({ socket, nodeId: "n6", clock: systemClock, log: keepingLogger(lines) });
    await spire.start();
    expect(new X509Certificate(spire.current?.cert ?? "").subject).toBe("CN=n6");
    spire.close();
    peer.kill();
  },
  PATIENCE_MS,
);
