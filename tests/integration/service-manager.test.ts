/**
 * Shows that datagrams arrive at real Unix sockets, by path and by abstract name, as systemd
 * would read them. Needs socat to receive; says so and passes over where it is missing.
 */
import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openUnixDatagrams } from "../../src/io/systemd/unix-datagram.ts";

const isMissing = Bun.which("socat") === null;
if (isMissing) console.log("left out: receiving datagrams needs socat");

async function received(listen: string, address: string, isThere: () => boolean): Promise<string> {
  const socat = Bun.spawn(["socat", "-u", listen, "-"], { stdout: "pipe" });
  try {
    const datagrams = openUnixDatagrams();
    for (let i = 0; i < 200 && !isThere(); i++) await Bun.sleep(20);
    for (let i = 0; i < 200 && !datagrams.send(address, "READY=1\n"); i++) await Bun.sleep(20);
    for await (const chunk of socat.stdout) return new TextDecoder().decode(chunk);
    return "";
  } finally {
    socat.kill("SIGKILL");
    await socat.exited;
  }
}

test.skipIf(isMissing)("a datagram arrives at a socket with a path", async () => {
  const dir = mkdtempSync(join(tmpdir(), "lattice-notify-"));
  const path = join(dir, "notify");
  expect(await received(`UNIX-RECV:${path}`, path, () => existsSync(path))).toBe("READY=1\n");
  rmSync(dir, { recursive: true });
});

test.skipIf(isMissing)("a datagram arrives at a socket with an abstract name", async () => {
  const name = `lattice-test-${process.pid}`;
  expect(await received(`ABSTRACT-RECV:${name}`, `@${name}`, () => true)).toBe("READY=1\n");
});

test("what nobody listens on is not told, and time runs as the system counts it", () => {
  const datagrams = openUnixDatagrams();
  expect(datagrams.send("/nonexistent/socket", "READY=1")).toBe(false);
  const first = datagrams.monotonicMicros();
  expect(first).toBeGreaterThan(0n);
  expect(datagrams.monotonicMicros()).toBeGreaterThanOrEqual(first);
});
