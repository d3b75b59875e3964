/**
 * Shows that systemd accepts the shipped units, that the server is exposed as little as
 * promised, and that what the units and their environment files name exists. Needs
 * systemd-analyze; says so and passes over where it is missing.
 */
import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAgentFlags } from "../../src/config/agent-flags.ts";

const UNITS = join(import.meta.dir, "../../infra/systemd");
const EXPOSURE_MAX = 2;
const isMissing = Bun.which("systemd-analyze") === null;
if (isMissing) console.log("left out: checking the units needs systemd-analyze");

const read = (name: string): string => readFileSync(join(UNITS, name), "utf8");

function analyze(...args: readonly string[]) {
  const run = Bun.spawnSync(["systemd-analyze", ...args]);
  return { exitCode: run.exitCode, text: run.stdout.toString() + run.stderr.toString() };
}

/** Returns what is wrong with a unit; keys that only a later systemd knows are not. */
function problemsOf(unit: string): readonly string[] {
  const dir = mkdtempSync(join(tmpdir(), "lattice-units-"));
  const path = join(dir, unit);
  // The binary is not installed here.
  writeFileSync(path, read(unit).replace(/^ExecStart=\S+/m, "ExecStart=/bin/true"));
  const { text } = analyze("verify", path);
  rmSync(dir, { recursive: true });
  return text.split("\n").filter((line) => line !== "" && !/Unknown key.*'DelegateSubgroup'/.test(line));
}

test.skipIf(isMissing)("systemd accepts both units", () => {
  expect(problemsOf("lattice-server.service")).toEqual([]);
  expect(problemsOf("lattice-agent.service")).toEqual([]);
});

test.skipIf(isMissing)(`the server's exposure is at most ${EXPOSURE_MAX}`, () => {
  const { text } = analyze("security", "--offline=true", join(UNITS, "lattice-server.service"));
  const exposure = Number(/exposure level for \S+: ([0-9.]+)/.exec(text)?.[1]);
  expect(exposure).toBeGreaterThan(0);
  expect(exposure).toBeLessThanOrEqual(EXPOSURE_MAX);
});

test("the units are where the specification looks, and start what it installs", () => {
  expect(read("lattice-server.service")).toMatch(
    /^ExecStart=\/usr\/local\/bin\/lattice-server --config \/etc\/lattice\/config\.yaml$/m,
  );
  expect(read("lattice-agent.service")).toMatch(/^ExecStart=\/usr\/local\/bin\/lattice-agent$/m);
  expect(read("lattice-server.service")).not.toContain("--bootstrap");
});

test("the agent outlives nothing and ends nothing: its work stays when it goes", () => {
  for (const line of ["KillMode=process", "OOMPolicy=continue", "Delegate=cpu cpuset io memory pids"]) {
    expect(read("lattice-agent.service").split("\n")).toContain(line);
  }
});

test("every capability that the agent is left with is explained", () => {
  const unit = read("lattice-agent.service");
  const granted = /^CapabilityBoundingSet=(.+)$/m.exec(unit)?.[1]?.split(" ") ?? [];
  const explained = unit.split("\n").filter((line) => line.startsWith("#   "));
  expect(granted.length).toBeGreaterThan(0);
  for (const capability of granted) {
    const name = capability.replace(/^CAP_/, "");
    expect(explained.some((line) => line.split(/\s+/).includes(name))).toBe(true);
  }
});

test("each variable of the agent's environment file is one that the agent reads", () => {
  const set = [...read("lattice-agent.env").matchAll(/^#?(LATTICE_\w+)=(.*)$/gm)];
  const env = Object.fromEntries(set.map(([, name = "", value]) => [name, value || "7"]));
  const endpoints = (env.LATTICE_QUORUM_ENDPOINT ?? "").replaceAll("http:", "https:");
  // Certificates go over https:// only.
  const command = parseAgentFlags([], { ...env, LATTICE_QUORUM_ENDPOINT: endpoints });
  expect(command).toMatchObject({
    kind: "run",
    options: {
      nodeId: "7",
      endpoints: ["https://lattice-01:50051", "https://lattice-02:50051", "https://lattice-03:50051"],
      cpus: 7,
      memoryGib: 7,
      gpuCount: 7,
      gpuType: "7",
      token: "7",
      spireSocket: "/run/spire/agent.sock",
      join: { signingEndpoint: "https://lattice-01:50053" },
      tls: { cert: "/etc/lattice/tls/agent.crt", key: "/etc/lattice/tls/agent.key", ca: "/etc/lattice/tls/ca.crt" },
    },
  });
});
