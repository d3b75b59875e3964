/**
 * A network of its own for each server: one interface to the other members, which can be
 * cut, and one to clients and agents, which cannot. Needs root and iproute2. Everything
 * it makes is named after this process and is removed at the end.
 */
const TAG = `lq${process.pid % 10_000}`;
const NETS = { raft: "10.77.0", api: "10.78.0" } as const;
type Net = keyof typeof NETS;

const bridge = (net: Net) => `${TAG}${net[0]}`;
const outer = (net: Net, id: number) => `${TAG}${net[0]}${id}`;
const inner = (net: Net) => `${net}0`;
const space = (id: number) => `${TAG}n${id}`;

/** Why networks cannot be made here; undefined when they can. */
export function networkObstacle(): string | undefined {
  if (process.getuid?.() !== 0) return "it needs root";
  if (Bun.which("ip") === null) return "it needs ip (iproute2)";
  const probe = `${TAG}probe`;
  const made = Bun.spawnSync(["ip", "netns", "add", probe], { stderr: "pipe" });
  if (made.exitCode !== 0) return `the kernel gives no network namespace: ${made.stderr.toString().trim()}`;
  run("netns", "del", probe);
  return undefined;
}

/** The address of a member on one of the two networks. */
export const addressOf = (net: Net, id: number): string => `${NETS[net]}.${id}`;

/** Returns the command that runs `command` inside the network of a member. */
export const inNetwork = (id: number, command: readonly string[]): readonly string[] => [
  ...["ip", "netns", "exec", space(id)],
  ...command,
];

/** Makes the networks of the members. */
export function makeNetworks(ids: readonly number[]): void {
  for (const net of ["raft", "api"] as const) {
    run("link", "add", bridge(net), "type", "bridge");
    run("addr", "add", `${NETS[net]}.254/24`, "dev", bridge(net));
    run("link", "set", bridge(net), "up");
  }
  for (const id of ids) {
    run("netns", "add", space(id));
    run("-n", space(id), "link", "set", "lo", "up");
    for (const net of ["raft", "api"] as const) {
      run("link", "add", outer(net, id), "type", "veth", "peer", "name", inner(net), "netns", space(id));
      run("link", "set", outer(net, id), "master", bridge(net), "up");
      run("-n", space(id), "addr", "add", `${addressOf(net, id)}/24`, "dev", inner(net));
      run("-n", space(id), "link", "set", inner(net), "up");
    }
  }
}

/** Cuts a member off from the others, or puts it back; clients reach it all the while. */
export const cutOff = (id: number, isCut: boolean): void =>
  run("link", "set", outer("raft", id), isCut ? "down" : "up");

/** Removes what makeNetworks made, as far as it exists. */
export function removeNetworks(ids: readonly number[]): void {
  for (const id of ids) Bun.spawnSync(["ip", "netns", "del", space(id)]);
  for (const net of ["raft", "api"] as const) Bun.spawnSync(["ip", "link", "del", bridge(net)]);
}

function run(...args: readonly string[]): void {
  const ended = Bun.spawnSync(["ip", ...args]);
  if (ended.exitCode !== 0) throw new Error(`ip ${args.join(" ")}: ${ended.stderr.toString()}`);
}
