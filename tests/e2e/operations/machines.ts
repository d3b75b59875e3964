/**
 * Machines of their own on this one, with a network between them: each has its file system,
 * host name, processes and address. A "systemd" machine boots a bare Debian root in
 * systemd-nspawn; a "bare" one sees this machine's /usr without what was installed beside the
 * distribution, and a few lines stand for its service manager. Needs root; everything made here is
 * named after this process and is removed at the end.
 */
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { until } from "../cluster.ts";

/** How real the machines are. */
export type MachineKind = "systemd" | "bare";

const TAG = `lm${process.pid % 10_000}`;
const NET = "10.79.0";
/** The address of this machine on the network between them. */
export const HOST_ADDRESS = `${NET}.254`;
const PACKAGES = "systemd,systemd-sysv,dbus,curl,iproute2,procps,util-linux";
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Why there can be no such machines here; undefined when there can. */
export function machineObstacle(kind: MachineKind): string | undefined {
  if (process.getuid?.() !== 0) return "it needs root";
  const programs = [
    "ip",
    "unshare",
    "nsenter",
    "curl",
    ...(kind === "systemd" ? ["mmdebstrap", "systemd-nspawn"] : []),
  ];
  const missing = programs.filter((program) => Bun.which(program) === null);
  if (missing.length > 0) return `it needs ${missing.join(", ")}`;
  const probe = Bun.spawnSync(["ip", "netns", "add", `${TAG}probe`]);
  if (probe.exitCode !== 0) return `the kernel gives no network namespace: ${probe.stderr.toString().trim()}`;
  run("ip", "netns", "del", `${TAG}probe`);
  return undefined;
}

/** Machines that run. */
export class Machines {
  readonly dir = mkdtempSync(join(tmpdir(), "lattice-machines-"));
  readonly #leaders = new Map<string, Subprocess>();

  private constructor(
    private readonly kind: MachineKind,
    readonly names: readonly string[],
  ) {}

  /** Starts machines, which know each other by name. */
  static async start(kind: MachineKind, names: readonly string[]): Promise<Machines> {
    const machines = new Machines(kind, names);
    run("ip", "link", "add", TAG, "type", "bridge");
    run("ip", "addr", "add", `${HOST_ADDRESS}/24`, "dev", TAG);
    run("ip", "link", "set", TAG, "up");
    const base = kind === "systemd" ? bareDebian(machines.dir) : "";
    for (const [i, name] of names.entries()) {
      connect(machines.#space(name), i + 1);
      machines.#leaders.set(name, kind === "systemd" ? machines.#boot(name, base) : machines.#begin(name));
    }
    await Promise.all(names.map((name) => machines.#isUp(name)));
    return machines;
  }

  /** The address of a machine. */
  address(name: string): string {
    return `${NET}.${this.names.indexOf(name) + 1}`;
  }

  /** Its root, as this machine sees it. */
  root(name: string): string {
    return join(this.dir, name, "root");
  }

  /** A program that runs its arguments, from the second on, in the machine that the first names or has the address of. */
  entrance(): string {
    const path = join(this.dir, "in");
    const cases = this.names.map((name) => `${name}|${this.address(name)}) p=${this.#pid(name)} ;;`);
    const enter = `exec nsenter -t $p -m -u -n -p -i -r -w env -i PATH=${PATH} HOME=/root LANG=C.UTF-8 "$@"`;
    writeFileSync(path, ["#!/bin/sh", 'case "$1" in', ...cases, "esac", "shift", enter, ""].join("\n"));
    chmodSync(path, 0o755);
    return path;
  }

  /** Runs a program in a machine and returns what it printed. @throws Error when it does not end with 0. */
  run(name: string, ...command: readonly string[]): string {
    return run(this.entrance(), name, ...command);
  }

  /** Ends all machines. */
  async stop(): Promise<void> {
    for (const name of this.names) {
      const pid = this.#pid(name);
      if (pid > 0) Bun.spawnSync(["kill", "-KILL", String(pid)]);
      this.#leaders.get(name)?.kill("SIGKILL");
      await this.#leaders.get(name)?.exited;
      Bun.spawnSync(["ip", "netns", "del", this.#space(name)]);
      Bun.spawnSync(["umount", "--lazy", this.root(name)], { stderr: "ignore" });
    }
    Bun.spawnSync(["ip", "link", "del", TAG]);
    rmSync(this.dir, { recursive: true, force: true });
  }

  #space(name: string): string {
    return `${TAG}${this.names.indexOf(name) + 1}`;
  }

  /** The first process of a machine; 0 while there is none. */
  #pid(name: string): number {
    const leader = this.#leaders.get(name)?.pid;
    if (leader === undefined) return 0;
    const children = Bun.spawnSync(["pgrep", "-P", String(leader)])
      .stdout.toString()
      .trim();
    return Number(children.split("\n")[0] ?? 0);
  }

  /** Gives a machine its names; `etc` is its folder of that name. */
  #name(etc: string, name: string): void {
    writeFileSync(join(etc, "hostname"), `${name}\n`);
    const others = this.names.map((other) => `${this.address(other)} ${other}`);
    writeFileSync(join(etc, "hosts"), ["127.0.0.1 localhost", ...others, ""].join("\n"));
  }

  #boot(name: string, base: string): Subprocess {
    const [root, upper, scratch] = [this.root(name), join(this.dir, name, "upper"), join(this.dir, name, "work")];
    for (const folder of [root, upper, scratch]) mkdirSync(folder, { recursive: true });
    run("mount", "-t", "overlay", "-o", `lowerdir=${base},upperdir=${upper},workdir=${scratch}`, "overlay", root);
    this.#name(join(root, "etc"), name);
    writeFileSync(join(root, "etc/machine-id"), "");
    const namespace = `/run/netns/${this.#space(name)}`;
    const boot = `systemd-nspawn -q -M ${name} --register=no --keep-unit --network-namespace-path=${namespace} -D ${root} -b`;
    // Its own view of control groups, version 2 alone, whatever this machine has.
    const view = "mount --make-rprivate / && umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup";
    return Bun.spawn(["unshare", "-m", "sh", "-c", `${view} && SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 exec ${boot}`], {
      stdio: ["ignore", Bun.file(join(this.dir, name, "console")), "ignore"],
    });
  }

  #begin(name: string): Subprocess {
    const root = this.root(name);
    const folders = ["etc", "var/log", "var/lib", "run", "tmp", "root", "home", "usr", "proc", "dev"];
    for (const folder of [...folders, "local/bin", "upper", "work"]) mkdirSync(join(root, folder), { recursive: true });
    chmodSync(join(root, "tmp"), 0o1777);
    this.#name(join(root, "etc"), name);
    writeFileSync(join(root, "etc/passwd"), "root:x:0:0::/root:/bin/sh\n");
    writeFileSync(join(root, "etc/group"), "root:x:0:\n");
    writeFileSync(join(root, "etc/nsswitch.conf"), "passwd: files\ngroup: files\nhosts: files\n");
    if (existsSync("/etc/ld.so.cache")) cpSync("/etc/ld.so.cache", join(root, "etc/ld.so.cache"));
    if (existsSync("/etc/alternatives"))
      cpSync("/etc/alternatives", join(root, "etc/alternatives"), { recursive: true });
    cpSync(join(import.meta.dir, "systemctl"), join(root, "local/bin/systemctl"));
    const script = [`set -e; cd ${root}; hostname ${name}; mount --make-rprivate /`];
    script.push(
      "mount -t overlay -o lowerdir=/usr,upperdir=upper,workdir=work overlay usr; mount --bind local usr/local",
    );
    script.push("rm -f usr/bin/node usr/bin/nodejs usr/bin/bun usr/bin/npm usr/bin/npx");
    script.push("mount --rbind /dev dev; mount -t proc proc proc");
    script.push('for d in bin sbin lib lib64; do [ ! -e "/usr/$d" ] || ln -s "usr/$d" "$d"; done');
    // A shell, for the first process has to take the ends of orphans.
    script.push("exec chroot . sh -c 'while :; do sleep 1; done'");
    const isolate = ["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child"];
    return Bun.spawn(["ip", "netns", "exec", this.#space(name), ...isolate, "sh", "-c", script.join("\n")], {
      stdio: ["ignore", "ignore", Bun.file(join(this.dir, name, "console"))],
    });
  }

  async #isUp(name: string): Promise<void> {
    const probe = this.kind === "systemd" ? ["systemctl", "is-system-running"] : ["cat", "/etc/hostname"];
    const good = this.kind === "systemd" ? /running|degraded/ : new RegExp(name);
    const console = () => readFileSync(join(this.dir, name, "console"), "utf8").slice(-2_000);
    await until(
      () => `machine ${name} is up: ${console()}`,
      () => this.#pid(name) > 0 && good.test(Bun.spawnSync([this.entrance(), name, ...probe]).stdout.toString()),
    );
  }
}

/** Makes the root of a bare Debian, or takes the one that LATTICE_TEST_ROOT names, and returns its folder. */
function bareDebian(dir: string): string {
  const base = process.env.LATTICE_TEST_ROOT ?? join(dir, "base");
  if (!existsSync(join(base, "etc"))) {
    run("mmdebstrap", "--quiet", "--variant=minbase", `--include=${PACKAGES}`, "bookworm", `${base}.tar`);
    mkdirSync(base, { recursive: true });
    run("tar", "xf", `${base}.tar`, "-C", base);
    rmSync(`${base}.tar`);
  }
  return base;
}

function connect(space: string, number: number): void {
  run("ip", "netns", "add", space);
  run("ip", "link", "add", `${space}v`, "type", "veth", "peer", "name", "host0", "netns", space);
  run("ip", "link", "set", `${space}v`, "master", TAG, "up");
  run("ip", "-n", space, "link", "set", "lo", "up");
  run("ip", "-n", space, "addr", "add", `${NET}.${number}/24`, "dev", "host0");
  run("ip", "-n", space, "link", "set", "host0", "up");
}

function run(...command: readonly string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command]);
  if (exitCode !== 0) throw new Error(`${command.join(" ")} ended with ${exitCode}: ${stderr}${stdout}`);
  return stdout.toString();
}
