/** Reads the members of a .tar.gz one after another. Damage is thrown as an ArchiveDamage that says where. */
import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import type { TarHeader } from "../../core/backup/tar.ts";
import { decodeTarHeader, TAR_BLOCK, tarPadding } from "../../core/backup/tar.ts";

/** Larger than any member that a backup has: a damaged length must not fill the memory. */
const MEMBER_BYTES_MAX = 256 * 1024 * 1024;

/** What is wrong inside an archive. */
export class ArchiveDamage extends Error {
  override readonly name = "ArchiveDamage";
}

/** One member with its content. */
export interface ReadMember {
  readonly name: string;
  readonly content: Buffer;
}

/** Walks the members of the archive at `path`. @throws ArchiveDamage, or the error of a file that cannot be read. */
export async function* readArchive(path: string): AsyncGenerator<ReadMember> {
  const file = createReadStream(path);
  const gunzip = createGunzip();
  file.on("error", (error) => gunzip.destroy(error));
  const bytes = new ByteQueue(file.pipe(gunzip));
  let last = "the beginning";
  try {
    for (;;) {
      const header = await readHeader(bytes, last);
      if (header === undefined) return;
      const content = await bytes.take(header.bytes + tarPadding(header.bytes));
      last = `member ${header.name}`;
      yield { name: header.name, content: content.subarray(0, header.bytes) };
    }
  } catch (error) {
    if (error instanceof ArchiveDamage || isFileError(error)) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new ArchiveDamage(`it cannot be unpacked after ${last}: ${why}`);
  } finally {
    file.destroy();
    gunzip.destroy();
  }
}

async function readHeader(bytes: ByteQueue, last: string): Promise<TarHeader | undefined> {
  const header = decodeTarHeader(await bytes.take(TAR_BLOCK));
  if (!header.ok) throw new ArchiveDamage(`after ${last}: ${header.error}`);
  if (header.value !== undefined && header.value.bytes > MEMBER_BYTES_MAX) {
    throw new ArchiveDamage(`member ${header.value.name} claims to have ${header.value.bytes} bytes`);
  }
  return header.value;
}

/** zlib's own codes begin with Z. */
const isFileError = (error: unknown): boolean =>
  error instanceof Error && "code" in error && /^E[A-Z]+$/.test(String(error.code));

/** Turns chunks of any size into pieces of the sizes asked for. */
class ByteQueue {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async take(count: number): Promise<Buffer> {
    const parts = [this.#rest];
    let length = this.#rest.length;
    while (length < count) {
      const { done, value } = await this.#chunks.next();
      if (done) throw new ArchiveDamage("it ends in the middle of a member");
      parts.push(value);
      length += value.length;
    }
    const all = parts.length === 1 ? this.#rest : Buffer.concat(parts);
    this.#rest = all.subarray(count);
    return all.subarray(0, count);
  }
}
