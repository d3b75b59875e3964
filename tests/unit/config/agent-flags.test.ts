/** The agent's command line: flags win over variables, every mistake is said at once. */
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { type AgentOptions, parseAgentFlags } from "../../../src/config/agent-flags.ts";
import { TempDir } from "../../fixtures/temp-dir.ts";

function optionsOf(argv: readonly string[], env: Record<string, string> = {}): AgentOptions {
  const command = parseAgentFlags(argv, env);
  if (command.kind !== "run") throw new Error(`the command is ${command.kind}`);
  return command.options;
}

describe("parseAgentFlags", () => {
  test("reads every flag of the specification", () => {
    const options = optionsOf([
      "--node-id=nid001234",
      "--quorum-endpoint=https://lattice-01:50051, https://lattice-02:50051",
      "--gpu-count=4",
      "--gpu-type=GH200",
      "--cpu-cores=72",
      "--memory-gb=512",
      "--heartbeat-interval=5",
      "--features=ib,nvme",
      "--group=3",
      "--conformance-fingerprint=rev-c",
      "--cxl-memory-gb=64",
      "--power-watts=2800",
      "--grpc-addr=[::]:0",
      "--advertise-addr=nid001234:50052",
      "--state-file=/var/lib/lattice/agent-state.json",
      "--default-user=nobody",
      "--allow-root",
      "--bootstrap-cert=/etc/lattice/tls/agent.crt",
      "--bootstrap-key=/etc/lattice/tls/agent.key",
      "--bootstrap-ca=/etc/lattice/tls/ca.crt",
      "--spire-socket=/run/spire.sock",
    ]);
    expect(options).toMatchObject({
      nodeId: "nid001234",
      endpoints: ["https://lattice-01:50051", "https://lattice-02:50051"],
      gpuCount: 4,
      gpuType: "GH200",
      cpus: 72,
      memoryGib: 512,
      heartbeatIntervalMs: 5_000,
      features: ["ib", "nvme"],
      group: 3,
      conformance: "rev-c",
      hasUnifiedMemory: true,
      cxlMemoryGib: 64,
      powerWatts: 2_800,
      listen: { host: "::", port: 0 },
      advertiseAddress: "nid001234:50052",
      stateDir: "/var/lib/lattice",
      defaultUser: "nobody",
      allowsRoot: true,
      spireSocket: "/run/spire.sock",
      tsdbEndpoint: "",
      tls: {
        cert: "/etc/lattice/tls/agent.crt",
        key: "/etc/lattice/tls/agent.key",
        ca: "/etc/lattice/tls/ca.crt",
      },
    });
  });

  test("an endpoint is a URL, or a host with or without the servers' port", () => {
    expect(optionsOf(["--quorum-endpoint=lattice-01,lattice-02:50061,https://c"]).endpoints).toEqual([
      "http://lattice-01:50051",
      "http://lattice-02:50061",
      "https://c",
    ]);
    for (const wrong of ["ht!tp:/x", "grpc://a:50051", "http://", "a b"])
      expect(() => optionsOf([`--quorum-endpoint=${wrong}`])).toThrow("must be a URL as http://lattice-01:50051");
  });

  test("a certificate goes with its key, and never over plain HTTP", () => {
    const flags = ["--bootstrap-cert=a.crt", "--quorum-endpoint=http://lattice-01:50051"];
    expect(() => optionsOf(flags)).toThrow(/given together.*dialled by https/s);
  });

  test("takes variables where no flag is given", () => {
    const env = { LATTICE_NODE_ID: "a", LATTICE_CPU_CORES: "8", LATTICE_AGENT_TOKEN: "t", LATTICE_ALLOW_ROOT: "true" };
    expect(optionsOf(["--node-id", "b"], env)).toMatchObject({ nodeId: "b", cpus: 8, token: "t", allowsRoot: true });
  });

  test("leaves to the machine and the server what is not said", () => {
    const options = optionsOf([]);
    expect(options).toMatchObject({ cpus: undefined, memoryGib: undefined, heartbeatIntervalMs: 0 });
    expect(options).toMatchObject({ conformance: undefined, hasUnifiedMemory: false, cxlMemoryGib: undefined });
    expect(optionsOf(["--conformance-fingerprint", "none", "--unified-memory"])).toMatchObject({
      conformance: "",
      hasUnifiedMemory: true,
    });
    expect(options.endpoints).toEqual(["http://localhost:50051"]);
  });

  test("names every mistake, with the nearest valid name", () => {
    expect(() => optionsOf(["--node-idd", "x", "--cpu-core", "2"])).toThrow(
      "unknown flag --node-idd; nearest: --node-id\nunknown flag --cpu-core; nearest: --cpu-cores",
    );
    const wrong = ["--cpu-cores", "many", "--grpc-addr", "50052", "--log-level", "loud", "--node-id", "a b"];
    const message = String(
      (() => {
        try {
          return optionsOf(wrong);
        } catch (error) {
          return error;
        }
      })(),
    );
    for (const part of ['at least 1, not "many"', 'HOST:PORT, not "50052"', "debug, info, warn, error", '"a b"']) {
      expect(message).toContain(part);
    }
  });

  test("takes the section identity of a configuration, below variables and flags, and says what is wrong in it", () => {
    using temp = new TempDir();
    const file = temp.join("c.yaml");
    writeFileSync(
      file,
      "quorum: {}\nidentity:\n  spire_socket: /a\n  bootstrap_ca: /ca\n  signing_endpoint: https://s:1\n",
    );
    const of = (...more: readonly string[]) => optionsOf([`--config=${file}`, ...more]);
    expect(of()).toMatchObject({ spireSocket: "/a", tls: { ca: "/ca" }, join: { signingEndpoint: "https://s:1" } });
    expect(of("--spire-socket=/b").spireSocket).toBe("/b");
    writeFileSync(file, "identity:\n  spire_sockt: /a\n");
    expect(() => of()).toThrow(`${file}:2: unknown key identity.spire_sockt; nearest: identity.spire_socket`);
    expect(() => optionsOf(["--config=/none"])).toThrow("/none does not exist");
  });

  test("prints help and version", () => {
    expect(parseAgentFlags(["--version"], {})).toEqual({ kind: "version" });
    expect(parseAgentFlags(["-h"], {})).toMatchObject({ kind: "help" });
  });
});
