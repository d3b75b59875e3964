/**
 * Shows three servers of the built binaries whose every connection is mutual TLS, with the
 * certificates that openssl makes: work runs and its output comes back, from any server;
 * a certificate is replaced on all of them while work goes on; an agent with another node's
 * certificate, and a server without TLS, are kept out; a join token is used once on all of them.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { JoinService } from "../../src/gen/lattice/v1/identity_pb.ts";
import { requestCertificate } from "../../src/io/ca/certificate-request.ts";
import { freePorts } from "../fixtures/free-ports.ts";
import { OpensslAuthority } from "../fixtures/openssl-authority.ts";
import { until } from "./cluster.ts";
import { QuorumCluster } from "./quorum-cluster.ts";

const HOST = "127.0.0.1";
/** Work runs under the name in the certificate. */
const ME = Bun.spawnSync(["id", "-un"]).stdout.toString().trim();
const PATIENCE_MS = 90_000;
const site = new OpensslAuthority();
const issueServer = () => site.issue("server", { names: `IP:${HOST}` });
let cluster: QuorumCluster;
let joins: readonly number[] = [];

/** Gives every server the site's authority, and a port where nodes join. */
function signingToo(servers: QuorumCluster): void {
  const caKey = readFileSync(`${site.dir}/ca.key`, "utf8");
  for (const [at, id] of servers.ids.entries()) {
    const path = servers.configPath(id);
    const identity = { ca_cert: site.ca, ca_key: caKey, signing_address: `${HOST}:${joins[at]}` };
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), identity }), { mode: 0o600 });
  }
}

beforeAll(async () => {
  joins = await freePorts(3);
  cluster = await QuorumCluster.start({
    prepare: signingToo,
    tls: {
      server: issueServer(),
      client: site.issue("person", { subject: ME }),
      agent: (name) =>
        site.issue(name === "thief" ? "n9" : name, { names: `DNS:${name === "thief" ? "n9" : name},IP:${HOST}` }),
    },
  });
}, PATIENCE_MS);

afterAll(async () => {
  await cluster.stop();
  site[Symbol.dispose]();
});

async function output(ref: string, server: number): Promise<string> {
  const { stdout, stderr } = await cluster.cli(["logs", "--follow", ref], [cluster.url(server)]);
  return stdout || stderr;
}

test(
  "work runs on a node with a certificate, and its output comes back by every server",
  async () => {
    await cluster.startAgent("n1");
    const ref = await cluster.submit(2, { entrypoint: "echo in private" });
    await cluster.reaches(1, ref, "completed");
    for (const id of cluster.ids) expect(await output(ref, id)).toBe("in private\n");
    const { stdout } = await cluster.cli(["whoami"]);
    expect(stdout).toContain(ME);
  },
  PATIENCE_MS,
);

test(
  "a certificate is replaced on all servers while work goes on, and a server that returns links with the new one",
  async () => {
    const ref = await cluster.submit(1, { entrypoint: "sleep 8; echo done" });
    await cluster.reaches(1, ref, "running");
    issueServer();
    for (const id of cluster.ids) {
      await until(`server ${id} uses the new certificate`, async () =>
        (await cluster.log(`server-${id}`)).includes("the certificates are replaced"),
      );
    }
    await cluster.killServer(3);
    await cluster.restart(3);
    await cluster.reaches(3, ref, "completed");
    expect(await output(ref, 3)).toBe("done\n");
    expect(await cluster.log("n1")).not.toContain("refuses this agent");
  },
  PATIENCE_MS,
);

test(
  "an agent with the certificate of another node is kept out, and told why",
  async () => {
    cluster.startAgent("thief").catch(() => {});
    const told = async () => (await cluster.log("thief")).includes("node n9 does not speak for node thief");
    await until("the agent is told", told);
    expect((await cluster.request(1, "GET", "/api/v1/nodes/thief")).status).toBe(404);
  },
  PATIENCE_MS,
);

test(
  "the command line says which certificate is wrong",
  async () => {
    const old = site.issue("old", { days: -1 });
    const expired = await cluster.cli(["--cert", old.cert, "--key", old.key, "nodes"]);
    expect([expired.code, expired.stderr]).toEqual([
      2,
      expect.stringContaining("old.crt: the certificate of CN=old expired"),
    ]);
    using other = new OpensslAuthority("another CA");
    const untrusting = await cluster.cli(["--ca", other.ca, "nodes"]);
    expect(untrusting.stderr).toContain("its authority is not known: name it with --ca");
  },
  PATIENCE_MS,
);

test(
  "INV-A4: a join token that one server has taken is refused by every other for another key, also after the leader died",
  async () => {
    const token = (await cluster.cli(["admin", "join-token", "n7"])).stdout.trim();
    const [own, stolen] = [await requestCertificate("n7"), await requestCertificate("n7")];
    const join = (port: number | undefined, csr: Uint8Array) => {
      const nodeOptions = { ca: readFileSync(site.ca, "utf8") };
      const client = createClient(
        JoinService,
        createGrpcTransport({ baseUrl: `https://${HOST}:${port}`, nodeOptions }),
      );
      return client.join({ token, csr }).then(
        () => "let in",
        (error: unknown) => Code[ConnectError.from(error).code],
      );
    };
    // Both at once, at different servers: one of the two keys is certified.
    const raced = await Promise.all([join(joins[0], own.csr), join(joins[1], stolen.csr)]);
    expect(raced.toSorted()).toEqual(["PermissionDenied", "let in"]);
    const [first, second] = raced[0] === "let in" ? [own, stolen] : [stolen, own];
    const leader = await cluster.leader();
    await cluster.killServer(leader);
    for (const id of cluster.ids.filter((one) => one !== leader)) {
      await until(`server ${id} knows the use`, async () => (await join(joins[id - 1], first.csr)) === "let in");
      expect(await join(joins[id - 1], second.csr)).toBe("PermissionDenied");
    }
    await cluster.restart(leader);
    expect(await join(joins[leader - 1], second.csr)).toBe("PermissionDenied");
  },
  PATIENCE_MS,
);
