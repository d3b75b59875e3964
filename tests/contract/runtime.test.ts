/**
 * What every runtime promises, shown with real processes: how work is started, what it
 * sees, how its end is known, and that nothing of it is left. Run over control groups
 * where this machine has them, and over the process table alone.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dagId, nodeId, shortId, taskGroupId, userId } from "../../src/core/domain/ids.ts";
import { containmentsHere } from "../fixtures/containments.ts";
import { IS_ROOT, RuntimeBench } from "../fixtures/runtime-bench.ts";
import { aFence, aKey, aWork } from "../fixtures/works.ts";

const containments = await containmentsHere("test");

const NODE_LIST = ["n1", "n2", "n3"].map(nodeId);
const isAlive = (pid: number) =>
  existsSync(`/proc/${pid}`) && !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));

describe.each(containments)("a runtime over %s", (_name, containment) => {
  let bench: RuntimeBench;
  let folder: string;

  beforeAll(async () => {
    bench = new RuntimeBench(containment);
    await bench.recover();
    folder = mkdtempSync(join(tmpdir(), "work-"));
    chmodSync(folder, 0o777);
  });

  afterAll(() => {
    bench.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  test("reports exit codes as they are, and a signal only when the kernel says so", async () => {
    const ends = [
      ["exit 0", { exitCode: 0 }],
      ["exit 3", { exitCode: 3 }],
      ["exit 128", { exitCode: 128 }],
      ["exit 137", { exitCode: 137 }],
      ["exit 255", { exitCode: 255 }],
      ["kill -KILL $$", { signal: 9 }],
      ["kill -TERM $$", { signal: 15 }],
      ["kill -SEGV $$", { signal: 11 }],
      ["kill -INT $$", { signal: 2 }],
      ["kill -PIPE $$", { signal: 13 }],
      ["sh -c 'kill -KILL $$'; exit $?", { exitCode: 137 }],
    ] as const;
    for (const [command, end] of ends) {
      expect([command, (await bench.sh(command)).exit]).toEqual([command, { ...end, cause: "exited" }]);
    }
  });

  test("an entrypoint is a shell line, arguments are not split again, a script runs under its interpreter", async () => {
    expect((await bench.sh("echo $((1 + 1)) | cat")).stdout).toBe("2\n");
    const argv = ["/usr/bin/printf", "<%s>", "a b", "", "$HOME", "it's", 'q"', "*", "-n", "new\nline"];
    expect((await bench.run({ program: { kind: "argv", argv } })).stdout).toBe(
      "<a b><><$HOME><it's><q\"><*><-n><new\nline>",
    );
    expect((await bench.run({ program: { kind: "argv", argv: ["sh", "-c", "echo $0"] } })).stdout).toBe("sh\n");
    const script = "#! /bin/sh -e\necho one\nfalse\necho two\n";
    expect(await bench.run({ program: { kind: "script", text: script } })).toMatchObject({
      stdout: "one\n",
      exit: { exitCode: 1 },
    });
    const env = "#!/usr/bin/env sh\nbasename $0";
    expect((await bench.run({ program: { kind: "script", text: env } })).stdout).toBe("script\n");
  });

  test("a script that cannot run is refused with the reason", async () => {
    const refusals = [
      ["echo hi\n", "does not begin with #!"],
      ["#!/bin/sh\r\necho hi\r\n", "Windows line ends"],
      ["#!\necho", "names no interpreter"],
      ["#!sh\necho", "no absolute path"],
      ["#!/bin/sh\necho \0", "NUL"],
    ] as const;
    for (const [text, reason] of refusals) {
      await expect(bench.start({ program: { kind: "script", text } })).rejects.toThrow(reason);
    }
    const missing = await bench.run({ program: { kind: "script", text: "#!/no/such\n" } });
    expect(missing.exit).toEqual({
      cause: "start_failed",
      detail: "the interpreter /no/such of the script cannot be run on this node",
    });
  });

  test("a program that is not found ends with 127, one that is not executable with 126, as in a shell", async () => {
    const run = (program: string) => bench.run({ program: { kind: "argv", argv: [program] } });
    const missing = await run("/no/such");
    expect(missing.exit).toEqual({ exitCode: 127, cause: "exited" });
    expect(missing.stderr).toContain("not found");
    expect((await run("/etc/passwd")).exit).toEqual({ exitCode: 126, cause: "exited" });
  });

  test("a working directory or output file that cannot be had is a failure to start that names it", async () => {
    expect((await bench.sh("true", { workdir: "/no/such" })).exit).toEqual({
      cause: "start_failed",
      detail: "the working directory /no/such cannot be entered",
    });
    expect((await bench.sh("true", { stdoutPath: "/no/such/out" })).exit).toEqual({
      cause: "start_failed",
      detail: "the output file /no/such/out cannot be written",
    });
    expect((await bench.sh("pwd; exit 125", { workdir: "/usr" })).exit).toEqual({ exitCode: 125, cause: "exited" });
  });

  test("the environment arrives byte for byte, whatever is in it, and in no argument list", async () => {
    const env = {
      QUOTES: `it's "so" \`id\` $(id) $HOME \\ ; & | > <`,
      LINES: "a\nb\n\n",
      UTF8: "grüße 🚀",
      EMPTY: "",
      PATH: "/usr/bin:/bin:/opt/x",
      LC_ALL: "C.UTF-8",
      "not-a-name": "x",
      "BASH_FUNC_f%%": "() { id; }",
      UID: "5",
      LATTICE_JOB_ID: "forged",
    };
    const dump =
      "tr '\\0' '\\001' </proc/self/environ; echo; for p in /proc/[0-9]*; do cat $p/cmdline; done 2>/dev/null";
    const { stdout } = await bench.sh(dump, { env });
    const [environ = "", ...rest] = stdout.split("\u0001\n");
    const seen = new Map(
      environ.split("\u0001").map((line) => [line.split("=")[0], line.slice(line.indexOf("=") + 1)]),
    );
    for (const name of ["QUOTES", "LINES", "UTF8", "EMPTY", "PATH", "LC_ALL"] as const) {
      expect([name, seen.get(name)]).toEqual([name, env[name]]);
    }
    expect(seen.get("LATTICE_JOB_ID")).toBe("7");
    expect(seen.has("not-a-name")).toBe(false);
    expect(rest.join()).not.toContain("grüße");
    const warning = bench.log.findLast(({ message }) => message.includes("environment variables"));
    expect(warning?.fields.variables).toEqual(["not-a-name", "BASH_FUNC_f%%", "UID"]);
  });

  test("a script finds what Lattice and Slurm promise it", async () => {
    const changes = {
      claim: { nodeId: nodeId("n2"), cpus: 3, memoryBytes: 4096, gpuMilli: 2_000, isExclusive: false },
      nodeIds: NODE_LIST,
      requeueCount: 1,
      dag: dagId("d"),
      task: {
        group: taskGroupId("g"),
        groupShortId: shortId(40),
        index: 5,
        range: { start: 1, end: 9, step: 2 },
        count: 5,
      },
    };
    const { stdout } = await bench.sh("env | sort", { name: "my job" }, changes);
    const lines = stdout.split("\n");
    for (const line of [
      "LATTICE_JOB_ID=7",
      "LATTICE_JOB_NAME=my job",
      "LATTICE_ATTEMPT=1",
      "LATTICE_NODELIST=n1,n2,n3",
      "LATTICE_NNODES=3",
      "LATTICE_NODE_RANK=1",
      "LATTICE_CPUS=3",
      "LATTICE_MEMORY_BYTES=4096",
      "LATTICE_GPUS=2",
      "LATTICE_TASK_INDEX=5",
      "LATTICE_TASK_GROUP_ID=g",
      "LATTICE_SUBMIT_DIR=/tmp",
      "SLURM_JOB_ID=7",
      "SLURM_JOB_NODELIST=n[1-3]",
      "SLURM_JOB_NUM_NODES=3",
      "SLURM_NODEID=1",
      "SLURM_NTASKS=3",
      "SLURM_TASKS_PER_NODE=1(x3)",
      "SLURM_CPUS_ON_NODE=3",
      "SLURM_ARRAY_JOB_ID=40",
      "SLURM_ARRAY_TASK_ID=5",
      "SLURM_ARRAY_TASK_MIN=1",
      "SLURM_ARRAY_TASK_MAX=9",
      "SLURM_ARRAY_TASK_STEP=2",
      "SLURM_ARRAY_TASK_COUNT=5",
      "SLURM_RESTART_COUNT=1",
    ]) {
      expect(lines).toContain(line);
    }
    const without = await bench.sh("env", {}, { setsSlurmEnv: false });
    expect(without.stdout).not.toContain("SLURM_");
    for (const leak of ["BUN_", "LATTICE_AGENT_TOKEN", "LC_ALL"]) expect(without.stdout).not.toContain(leak);
  });

  test("output paths take sbatch's patterns, standard error joins, and both are read back", async () => {
    const task = {
      group: taskGroupId("g"),
      groupShortId: shortId(40),
      index: 5,
      range: { start: 1, end: 9, step: 1 },
      count: 9,
    };
    const spec = { workdir: folder, stdoutPath: "%x-%j-%A_%a-%N-%%-%4j.out", name: "job" };
    const { key, stdout, stderr } = await bench.sh("echo out; echo err >&2", spec, { task });
    const path = join(folder, "job-7-40_5-n1-%-0007.out");
    expect(readFileSync(path, "utf8")).toBe("out\nerr\n");
    expect([stdout, stderr]).toEqual(["out\nerr\n", ""]);
    const apart = await bench.sh("echo out; echo err >&2", { workdir: folder, stderrPath: "err" });
    expect([apart.stdout, apart.stderr]).toEqual(["out\n", "err\n"]);
    await bench.runtime.release(key);
    expect(await bench.read(key, "stdout")).toBe("out\nerr\n");
  });

  test("a first attempt begins the user's file anew, a later one adds to it", async () => {
    const path = join(folder, "kept");
    writeFileSync(path, "old\n");
    chmodSync(path, 0o666);
    const program = { kind: "entrypoint", command: "echo again" } as const;
    await bench.exitOf(await bench.start({ stdoutPath: path, program }));
    expect(readFileSync(path, "utf8")).toBe("again\n");
    await bench.exitOf(await bench.start({ stdoutPath: path, program }, {}, 2));
    expect(readFileSync(path, "utf8")).toBe("again\nagain\n");
  });

  test("a user's output file is not read through a link, nor when it is another's or no file", async () => {
    const link = join(folder, "link");
    symlinkSync("/etc/shadow", link);
    const swapped = await bench.sh(`rm -f ${folder}/o; ln -s /etc/hostname ${folder}/o`, { stdoutPath: `${folder}/x` });
    rmSync(join(folder, "x"));
    symlinkSync("/etc/shadow", join(folder, "x"));
    await expect(bench.read(swapped.key, "stdout")).rejects.toThrow("symbolic link");
    await expect(bench.sh("true", { stdoutPath: "/dev/null" })).rejects.toThrow("no regular file");
  });

  test("output is read by range and by last lines", async () => {
    const { key } = await bench.sh("seq 1 100000");
    const all = await bench.read(key, "stdout");
    expect(all.split("\n")).toHaveLength(100_001);
    expect(await bench.read(key, "stdout", { offset: 4, length: 4 })).toBe("3\n4\n");
    expect(await bench.read(key, "stdout", { tailLines: 2 })).toBe("99999\n100000\n");
    expect(await bench.read(key, "stdout", { tailLines: 20_000 })).toBe(`${all.split("\n").slice(80_000).join("\n")}`);
    expect(await bench.read(key, "stdout", { tailLines: 10 ** 6 })).toBe(all);
    await expect(bench.read(aKey(999), "stdout")).rejects.toThrow("no output of");
  });

  test("kill leaves nothing: not what forked twice, ignores SIGTERM, is stopped, or holds the output open", async () => {
    const pids = join(folder, `pids-${_name.length}`);
    const command = [
      `note() { echo $1 >>${pids}; }`,
      `(setsid sh -c 'trap "" TERM; echo $$ >>${pids}; (sleep 600 & echo $! >>${pids}) ; while :; do sleep 600; done' &)`,
      "sleep 600 & note $!",
      "kill -STOP $!",
      "echo ready",
      "sleep 600",
    ].join("\n");
    const key = await bench.start({ program: { kind: "entrypoint", command } });
    while (!existsSync(pids) || readFileSync(pids, "utf8").trim().split("\n").length < 3) await Bun.sleep(10);
    const started = readFileSync(pids, "utf8").trim().split("\n").map(Number);
    expect(started.every(isAlive)).toBe(true);
    await bench.runtime.kill(key);
    expect(started.filter(isAlive)).toEqual([]);
    expect(await bench.exitOf(key)).toEqual({ signal: 9, cause: "exited" });
    await bench.runtime.kill(key);
  });

  test("SIGTERM reaches every process, also right after the start, and a stopped one", async () => {
    const program = { kind: "entrypoint", command: "trap 'echo bye; exit 9' TERM; sleep 600 & wait" } as const;
    const hasty = await bench.start({ program });
    await bench.runtime.terminate(hasty);
    expect([15, undefined]).toContain((await bench.exitOf(hasty)).signal);
    await bench.runtime.kill(hasty);
    const patient = await bench.start({
      program: { ...program, command: `echo up; kill -STOP $$; ${program.command}` },
    });
    while ((await bench.read(patient, "stdout")) === "") await Bun.sleep(10);
    await bench.runtime.terminate(patient);
    await bench.exitOf(patient);
    await bench.runtime.kill(patient);
  });

  test("a restarted agent adopts what runs, learns what ended, and can still kill", async () => {
    const own = new RuntimeBench(containment);
    await own.recover();
    const gate = join(own.folder, "gate");
    const waits = `until [ -e ${gate} ]; do sleep 0.02; done; exit 7`;
    const running = await own.start({ program: { kind: "entrypoint", command: waits } });
    const over = await own.start({ program: { kind: "entrypoint", command: "exit 6" } });
    await own.exitOf(over);
    const staged = aKey(50);
    await own.runtime.prepare(staged, aWork({ walltimeMs: 9 as never }), aFence(8));
    await own.runtime.note(running, { walltimeMs: 5 as never, endCause: "walltime" });
    own.runtime = own.open();
    for (const key of [running, staged]) own.expectExit(key);
    const recovered = await own.recover();
    const stateOf = (key: typeof over) => recovered.find((w) => w.key.allocation === key.allocation);
    expect(stateOf(running)).toMatchObject({ state: "running", note: { walltimeMs: 5, endCause: "walltime" } });
    expect(stateOf(over)).toMatchObject({ state: "ended", exit: { exitCode: 6 } });
    expect(stateOf(staged)).toMatchObject({ state: "prepared", fence: aFence(8) });
    writeFileSync(gate, "");
    expect(await own.exitOf(running)).toEqual({ exitCode: 7, cause: "exited" });
    await own.runtime.start(staged, own.listener);
    expect(await own.exitOf(staged)).toEqual({ exitCode: 0, cause: "exited" });
    for (const key of [running, over, staged]) await own.runtime.kill(key);
    own.remove();
  });

  test("a node that cannot run work says so before it is given any", async () => {
    expect(await bench.runtime.probe()).toEqual([]);
    const own = new RuntimeBench(containment);
    await own.recover();
    own.remove();
    expect((await own.runtime.probe()).join()).toContain(`${own.folder} cannot be written: ENOENT`);
    expect((await own.runtime.probe()).join()).not.toContain("no room");
  });

  test("a node that only holds its part keeps a record and no process", async () => {
    const key = aKey(60);
    await bench.runtime.prepare(key, aWork({}, { runsHere: false, user: userId("nobody-knows") }), aFence(1));
    await bench.runtime.release(key);
    expect(existsSync(join(bench.folder, "workloads", `${key.allocation}-1`))).toBe(false);
  });

  test.if(IS_ROOT)(
    "as root, work runs as its user with the user's groups, and cannot touch the agent's files",
    async () => {
      const user = { user: userId("nobody") };
      const { stdout } = await bench.sh(
        "id -un; id -u; echo $USER $HOME; cat script launch.sh",
        { workdir: "/" },
        user,
      );
      expect(stdout).toBe("nobody\n65534\nnobody /nonexistent\n");
      const probe = [
        'd=$(dirname "$(readlink /proc/$$/fd/1)")',
        "ls $d 2>&1 >/dev/null | grep -c denied",
        "(echo x >$d/exit) 2>&1 | grep -c enied",
        "cat $d/work.json 2>&1 | grep -c enied",
        "cat $d/launch.sh | grep -c '^export HOME'",
        "echo more >>/dev/stdout",
      ].join("\n");
      expect((await bench.sh(probe, {}, user)).stdout).toBe("1\n1\n1\n1\nmore\n");
      const open = await bench.sh("id -un", {}, { user: userId("anonymous") });
      expect(open.stdout).toBe("nobody\n");
    },
  );

  test.if(IS_ROOT)("as root, the user's environment never reaches a process of root", async () => {
    const trap = join(folder, "trap.so");
    writeFileSync(trap, "not a library");
    const { stderr } = await bench.sh("true", { env: { LD_PRELOAD: trap } }, { user: userId("nobody") });
    const complaints = stderr.split("\n").filter((line) => line.includes("trap.so"));
    expect(complaints.length).toBeLessThanOrEqual(1);
  });

  test.if(IS_ROOT)("a user that the node does not know, or must not become, is refused with the name", async () => {
    const as = (name: string) => bench.start({}, { user: userId(name) });
    await expect(as("no-such-user")).rejects.toThrow("this node has no account no-such-user");
    await expect(as("0")).rejects.toThrow('"0" cannot be the name of an account');
    await expect(as("-x")).rejects.toThrow("cannot be the name");
    expect(statSync(join(bench.folder, "workloads")).mode & 0o777).toBe(0o711);
  });
});
