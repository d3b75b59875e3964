/**
 * Shows what TLS on the API's listeners lets in and keeps out, with openssl's certificates
 * and curl, openssl s_client and a gRPC client as foreign callers: who has no certificate,
 * another authority's or an expired one gets nothing; a machine is its certificate; a
 * certificate is replaced while connections go on.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { createApi } from "../../src/api/create-api.ts";
import { readCertificates } from "../../src/config/certificate-files.ts";
import { AgentService } from "../../src/gen/lattice/v1/agent_pb.ts";
import { NodeService } from "../../src/gen/lattice/v1/nodes_pb.ts";
import type { Listener } from "../../src/io/http/handlers.ts";
import { listenRpc } from "../../src/io/http/rpc-listener.ts";
import { hmacVerifier } from "../../src/io/oidc/hmac-verifier.ts";
import { systemClock } from "../../src/io/system-clock.ts";
import { CertificateKeeper } from "../../src/io/tls/certificate-keeper.ts";
import type { IssuedFiles } from "../fixtures/openssl-authority.ts";
import { OpensslAuthority } from "../fixtures/openssl-authority.ts";
import { keepingLogger, type LogLine } from "../fixtures/peer-networks.ts";
import { PYTHON_GRPC } from "../fixtures/python-grpc.ts";
import type { TestServer } from "../fixtures/test-server.ts";
import { startTestServer } from "../fixtures/test-server.ts";
import { aToken, SECRET } from "../fixtures/tokens.ts";

const HOST = "127.0.0.1";
const site = new OpensslAuthority();
const stranger = new OpensslAuthority("another CA");
const SERVER = site.issue("server", { names: `IP:${HOST},DNS:localhost` });
const N1 = site.issue("n1", { names: "DNS:n1,IP:10.1.1.1" });
const ANN = site.issue("ann");
const lines: LogLine[] = [];
const keeper = new CertificateKeeper({
  paths: [SERVER.cert, SERVER.key, SERVER.ca],
  read: () => readCertificates(SERVER, Date.now()),
  clock: systemClock,
  log: keepingLogger(lines),
});
let world: TestServer;
let guarded: Listener;
let open: Listener;

beforeAll(async () => {
  world = await startTestServer();
  const tls = { keeper, log: keepingLogger(lines) };
  const verifier = hmacVerifier(SECRET, undefined);
  guarded = await listenRpc({ host: HOST, port: 0 }, createApi({ server: world.server, auth: { verifier } }), tls);
  open = await listenRpc({ host: HOST, port: 0 }, createApi({ server: world.server, auth: {} }), tls);
});

afterAll(async () => {
  keeper.close();
  await Promise.all([guarded.close(0), open.close(0)]);
  await world.stop();
  site[Symbol.dispose]();
  stranger[Symbol.dispose]();
});

interface Asked {
  readonly listener?: Listener;
  readonly as?: IssuedFiles;
  readonly flags?: readonly string[];
  readonly path?: string;
}

/** Asks with curl, which trusts the site's authority; returns status and body, or curl's complaint. */
async function curl({ listener = guarded, as, flags = [], path = "/api/v1/auth/whoami" }: Asked) {
  const identity = as === undefined ? [] : ["--cert", as.cert, "--key", as.key];
  const url = `https://${HOST}:${listener.port}${path}`;
  const words = ["-sS", "-m", "20", "-w", "\n%{http_code}", "--cacert", site.ca, ...identity, ...flags, url];
  const run = Bun.spawn(["curl", ...words], { stdout: "pipe", stderr: "pipe" });
  const [out, complaint] = await Promise.all([new Response(run.stdout).text(), new Response(run.stderr).text()]);
  const cut = out.lastIndexOf("\n");
  return { status: out.slice(cut + 1), body: out.slice(0, cut), complaint };
}

const whoIs = async (asked: Asked): Promise<unknown> => JSON.parse((await curl(asked)).body);

function grpc(as: IssuedFiles, headers: Readonly<Record<string, string>> = {}) {
  const read = (path: string) => readFileSync(path, "utf8");
  const nodeOptions = { ca: read(site.ca), cert: read(as.cert), key: read(as.key) };
  return createGrpcTransport({
    baseUrl: `https://${HOST}:${guarded.port}`,
    nodeOptions,
    interceptors: [
      (next) => (request) => {
        for (const [name, value] of Object.entries(headers)) request.header.set(name, value);
        return next(request);
      },
    ],
  });
}

const refusedFor = (certificate: RegExp) =>
  lines.find(
    ({ message, certificate: shown }) => message === "a connection is refused" && certificate.test(String(shown)),
  );

test("a caller without a certificate gets no answer", async () => {
  const { status, complaint } = await curl({});
  expect(status).toBe("000");
  // The connection may be closed before curl has read the alert.
  expect(complaint).toMatch(/certificate required|curl: \((35|52|55|56)\)/);
});

test.each(["--http1.1", "--http2"])("a certificate of another authority gets no answer (%s)", async (version) => {
  const foreign = stranger.issue("n1", { names: "DNS:n1" });
  expect((await curl({ as: foreign, flags: [version] })).status).toBe("000");
});

test("the log says which certificate is refused, and why", async () => {
  const foreign = stranger.issue("n7", { names: "DNS:n7" });
  await Bun.sleep(1_100);
  await curl({ as: foreign });
  expect(refusedFor(/^n7, of another CA/)?.reason).toContain("not among those in api.tls_ca");
});

test("an expired certificate gets no answer", async () => {
  const expired = site.issue("old", { names: "DNS:n1", days: -1 });
  expect((await curl({ as: expired })).status).toBe("000");
});

test("TLS before 1.2 gets no answer", async () => {
  expect((await curl({ as: N1, flags: ["--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"] })).status).toBe("000");
});

test("plain HTTP gets no answer on a port with TLS", async () => {
  const answer = fetch(`http://${HOST}:${guarded.port}/healthz`).then((r) => r.status);
  expect(await answer.catch(() => "none")).toBe("none");
});

test.each(["--http1.1", "--http2"])("a machine is what its certificate names (%s)", async (version) => {
  expect(await whoIs({ as: N1, flags: [version] })).toMatchObject({ user: "n1", role: "agent", node: "n1" });
});

test("at an open server a machine's certificate makes no administrator, a person's says who it is", async () => {
  expect(await whoIs({ listener: open, as: N1 })).toMatchObject({ role: "agent" });
  const flags = ["-H", "x-lattice-user: bob"];
  expect(await whoIs({ listener: open, as: ANN, flags })).toMatchObject({ user: "ann", role: "SystemAdmin" });
});

test("a person's certificate lets nobody in without a token, where tokens are checked", async () => {
  const { status, body } = await curl({ as: ANN });
  expect([status, JSON.parse(body).code]).toEqual(["401", "UNAUTHENTICATED"]);
});

test("a token over a machine's connection is its owner's", async () => {
  const token = await aToken("ann", { claims: { scope: "readonly" } });
  const flags = ["-H", `authorization: Bearer ${token}`];
  expect(await whoIs({ as: N1, flags })).toMatchObject({ user: "ann", role: "ReadOnly" });
});

test("headers that carry a certificate are nobody's", async () => {
  const flags = ["-H", "x-forwarded-client-cert: CN=root", "-H", "x-ssl-client-s-dn: CN=root"];
  expect((await curl({ as: ANN, flags })).status).toBe("401");
});

test("one name with a comma in it does not pass for two", async () => {
  const sly = site.issue("sly", { names: "DNS:n66", uri: "http://x, DNS:n1" });
  expect(await whoIs({ as: sly })).toMatchObject({ user: "n66", node: "n66" });
});

async function connectAs(as: IssuedFiles, node: string, { address = "n1:50052", headers = {} } = {}): Promise<string> {
  const value = {
    nodeId: node,
    instanceId: "i1",
    agentVersion: "test",
    agentAddress: address,
    capacity: { cpus: 4, memoryBytes: 1_000_000n },
  };
  async function* hello() {
    yield { message: { case: "hello" as const, value } };
    await Bun.sleep(5_000);
  }
  try {
    const ending = AbortSignal.timeout(8_000);
    for await (const { message } of createClient(AgentService, grpc(as, headers)).connect(hello(), {
      signal: ending,
    })) {
      return String(message.case);
    }
    return "ended";
  } catch (error) {
    const { code, rawMessage } = ConnectError.from(error);
    return `${Code[code]}: ${rawMessage}`;
  }
}

test("INV-A3: a node id can only be used by its certificate, at an address that it names", async () => {
  expect(await connectAs(N1, "n2")).toContain("the credential of node n1 does not speak for node n2");
  expect(await connectAs(N1, "n1", { address: "10.9.9.9:50052" })).toContain("refused for the address 10.9.9.9:50052");
  expect(await connectAs(N1, "n1", { address: "10.1.1.1:50052" })).toBe("welcome");
});

test("a token does not lift a node's certificate", async () => {
  const authorization = `Bearer ${await aToken("op", { claims: { scope: "admin" } })}`;
  const said = await connectAs(N1, "n2", { headers: { authorization } });
  expect(said).toBe("PermissionDenied: the certificate is refused for node n2: it names n1");
});

test("a foreign gRPC client with a certificate is answered", async () => {
  const { nodes } = await createClient(NodeService, grpc(N1)).listNodes({});
  expect(nodes).toBeArray();
});

/** Says how a call ends that python makes without any code of ours. */
const PYTHON = `
import grpc, sys
port, ca, cert, key = sys.argv[1:5]
read = lambda path: open(path, "rb").read() if path else None
trust = grpc.ssl_channel_credentials(read(ca), read(key), read(cert))
call = grpc.secure_channel("127.0.0.1:" + port, trust).unary_unary("/lattice.v1.NodeService/ListNodes")
try:
    call(b"", timeout=5)
    print("answered")
except grpc.RpcError as error:
    print(error.code().name)
`;

test.skipIf(PYTHON_GRPC === undefined)(
  "python's gRPC is answered with a certificate, and not without",
  async () => {
    const call = (files: readonly string[]) =>
      new Response(Bun.spawn([PYTHON_GRPC ?? "", "-c", PYTHON, String(guarded.port), site.ca, ...files]).stdout).text();
    expect(await call([N1.cert, N1.key])).toBe("answered\n");
    expect(await call(["", ""])).toBe("UNAVAILABLE\n");
  },
  30_000,
);

test("a resumed session is of the certificate that began it", async () => {
  const file = `${site.dir}/session.pem`;
  const ask = (words: readonly string[]) => {
    const line = `(printf 'GET /api/v1/auth/whoami HTTP/1.1\\r\\nhost: x\\r\\nconnection: close\\r\\n\\r\\n'; sleep 1) | timeout 10 openssl s_client -quiet -ign_eof -tls1_2 -connect ${HOST}:${guarded.port} -CAfile ${site.ca} ${words.join(" ")}`;
    const run = Bun.spawn(["sh", "-c", line], { stdout: "pipe", stderr: "ignore" });
    return new Response(run.stdout).text();
  };
  expect(await ask(["-cert", N1.cert, "-key", N1.key, "-sess_out", file])).toContain('"node":"n1"');
  const resumed = await ask(["-sess_in", file]);
  expect(resumed === "" || resumed.includes('"node":"n1"')).toBe(true);
}, 30_000);

test("a connection that never begins the handshake is hung up on", async () => {
  const closed = new Promise<void>((resolve) => {
    const socket = connect(guarded.port, HOST);
    socket.on("error", () => {});
    socket.on("close", () => resolve());
    socket.resume();
  });
  await closed;
}, 60_000);

test("a certificate is replaced while a connection goes on, and a useless one changes nothing", async () => {
  const before = createClient(NodeService, grpc(N1));
  await before.listNodes({});
  const [serial, again] = [await serialShown(), await serialShown()];
  expect(serial).toBe(again);
  site.issue("server", { names: `IP:${HOST},DNS:localhost` });
  keeper.reload();
  expect(await serialShown()).not.toBe(serial);
  await before.listNodes({});
  const shown = await serialShown();
  site.issue("server", { names: `IP:${HOST}`, days: -1 });
  keeper.reload();
  expect(lines.at(-1)?.reason).toContain("expired on");
  expect(await serialShown()).toBe(shown);
}, 30_000);

async function serialShown(): Promise<string> {
  const line = `openssl s_client -connect ${HOST}:${guarded.port} -cert ${N1.cert} -key ${N1.key} </dev/null 2>/dev/null | openssl x509 -noout -serial`;
  return new Response(Bun.spawn(["sh", "-c", line], { stdout: "pipe" }).stdout).text();
}
