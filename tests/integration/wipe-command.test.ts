/**
 * Shows what counts as a wipe: the exit code of the site's program, neither what it leaves
 * running nor what it writes; that one which hangs is killed with all that it started; and
 * that two do not run at the same time, as after an agent was killed in the middle of one.
 */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { wipeBy } from "../../src/io/runtime/wipe-command.ts";
import { TempDir } from "../fixtures/temp-dir.ts";

let temp: TempDir;
beforeEach(() => {
  temp = new TempDir();
});
afterEach(() => temp[Symbol.dispose]());

function program(...lines: readonly string[]) {
  const path = temp.join("wipe.sh");
  writeFileSync(path, ["#!/bin/sh", ...lines, ""].join("\n"));
  chmodSync(path, 0o755);
  return { path, node: "n1", stateDir: temp.path };
}

/** Runs it until it has ended, and says what it came to. */
const outcomeOf = (command: Parameters<typeof wipeBy>[0]): Promise<string> =>
  wipeBy(command)
    .run()
    .then(() => "wiped", String);

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}/cmdline`) && stateOf(pid) !== "Z";
const stateOf = (pid: number) => /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1];

test("a wipe is over when its program ends, whatever that leaves running with its output open", async () => {
  const command = program("sleep 60 &", `echo $! >${temp.join("left")}`, "exit 0");
  expect(await outcomeOf(command)).toBe("wiped");
  const left = Number(readFileSync(temp.join("left"), "utf8"));
  expect(isAlive(left)).toBe(true);
  // What is left running does not hold up the next one.
  expect(await outcomeOf({ ...command, ...program("exit 0"), timeoutMs: 5_000 })).toBe("wiped");
  process.kill(left, "SIGKILL");
});

test("a failed wipe says how it ended and the last that it said, however much that was", async () => {
  const command = program("head -c 3000000 /dev/zero | tr '\\0' x >&2", "echo the disk is busy >&2", "exit 3");
  const said = await outcomeOf(command);
  expect(said).toMatch(/ended with exit code 3: x+the disk is busy$/);
  expect(said.length).toBeLessThan(600);
  expect(await outcomeOf(program("kill -9 $$"))).toContain("ended with exit code 137");
  expect(await outcomeOf({ ...command, path: "/no/such/program" })).toContain("/no/such/program");
  expect(await outcomeOf({ ...command, path: "" })).toContain("--wipe-command");
});

test("a wipe that hangs has failed, and nothing of it goes on", async () => {
  const command = program(`echo $$ >${temp.join("shell")}`, "sleep 60", "exit 0");
  expect(await outcomeOf({ ...command, timeoutMs: 300 })).toContain("was killed after 0.3 s");
  expect(isAlive(Number(readFileSync(temp.join("shell"), "utf8")))).toBe(false);
});

test("INV-S6: the wipe of a killed agent ends before the next one begins", async () => {
  const trace = temp.join("trace");
  const fifo = temp.join("fifo");
  Bun.spawnSync(["mkfifo", fifo]);
  const slow = wipeBy(program(`echo first begins >>${trace}`, `read line <${fifo}`, `echo first ends >>${trace}`));
  const first = slow.run();
  while (!existsSync(trace)) await Bun.sleep(5);
  const other = temp.join("second.sh");
  writeFileSync(other, `#!/bin/sh\necho second >>${trace}\n`);
  chmodSync(other, 0o755);
  const second = wipeBy({ path: other, node: "n1", stateDir: temp.path }).run();
  writeFileSync(fifo, "go\n");
  await Promise.all([first, second]);
  expect(readFileSync(trace, "utf8")).toBe("first begins\nfirst ends\nsecond\n");
});
