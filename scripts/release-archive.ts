/** Archives that are the same, byte for byte, whenever and wherever the same files are packed. */
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Contents } from "./release-contents.ts";
import { ROOT } from "./workspace.ts";

/** Writes files below `folder`, readable for everyone. */
export function layOut(folder: string, contents: Contents): void {
  for (const [path, content] of contents) {
    const to = join(folder, path);
    mkdirSync(dirname(to), { recursive: true, mode: 0o755 });
    if ("from" in content) copyFileSync(join(ROOT, content.from), to);
    else writeFileSync(to, content.text);
    chmodSync(to, 0o644);
  }
}

/** Packs what is in `folder` into a compressed tarball: sorted, owned by root, dated `time` (seconds). */
export function packTarball(folder: string, tarball: string, time: number): void {
  const flags = ["--format=ustar", "--sort=name", `--mtime=@${time}`, "--owner=0", "--group=0", "--numeric-owner"];
  const names = readdirSync(folder).toSorted();
  const tar = run("tar", [...flags, "--mode=u+rwX,go=rX", "-C", folder, "-cf", "-", "--", ...names]);
  writeFileSync(tarball, Bun.gzipSync(tar, { level: 6 }));
}

/** Runs a program and returns what it prints. @throws Error with its words when it does not end well. */
export function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const done = Bun.spawnSync([program, ...args], { env: { ...process.env, ...env }, maxBuffer: 1024 ** 3 });
  if (done.exitCode !== 0) throw new Error(`${program} ended with ${done.exitCode}: ${done.stderr}`);
  return new Uint8Array(done.stdout);
}

/** Returns the line of a file for SHA256SUMS, which `sha256sum --check` reads. */
export function checksumLine(folder: string, name: string): string {
  const sum = createHash("sha256")
    .update(readFileSync(join(folder, name)))
    .digest("hex");
  return `${sum}  ${name}\n`;
}
