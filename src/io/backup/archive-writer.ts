/**
 * Writes a sealed .tar.gz, member by member, each compressed on its own, so that memory
 * holds one member at a time. Synchronous: it runs in a Worker.
 */
import { createHash } from "node:crypto";
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import type { BackupMember } from "../../core/backup/manifest.ts";
import { encodeTarHeader, TAR_END, tarPadding } from "../../core/backup/tar.ts";
import { makeSeal } from "./seal.ts";

export class ArchiveWriter {
  readonly #fd: number;
  readonly #seconds: number;
  readonly #hash = createHash("sha256");

  /** Makes the file, which must not exist. */
  constructor(path: string, seconds: number) {
    this.#fd = openSync(path, "wx", 0o640);
    this.#seconds = seconds;
  }

  /** Adds a file and returns what the manifest says of it. */
  add(name: string, content: Uint8Array): BackupMember {
    const header = encodeTarHeader({ name, bytes: content.length }, this.#seconds);
    this.#compress(Buffer.concat([header, content, new Uint8Array(tarPadding(content.length))]));
    return { name, bytes: content.length, sha256: createHash("sha256").update(content).digest("hex") };
  }

  /** Seals the archive and returns once it is on stable storage. */
  finish(): void {
    this.#compress(TAR_END);
    this.#write(makeSeal(this.#hash.digest()));
    fsyncSync(this.#fd);
  }

  close(): void {
    closeSync(this.#fd);
  }

  #compress(bytes: Uint8Array): void {
    const packed = Bun.gzipSync(new Uint8Array(bytes), { level: 6 });
    this.#hash.update(packed);
    this.#write(packed);
  }

  #write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
  }
}
