/**
 * Shows three servers of the built binaries whose every connection is mutual TLS, with the
 * certificates that openssl makes: work runs and its output comes back, from any server;
 * a certificate is replaced on all of them while work goes on; an agent with another node's
 * certificate, and a server without TLS, are kept out.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
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

beforeAll(async () => {
  cluster = await QuorumCluster.start({
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
