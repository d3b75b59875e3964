/** A tar archive of texts (POSIX ustar), for what is to be sent to somebody. */

const BLOCK = 512;

/** Returns the archive of files by name, each dated `seconds` since the epoch and readable by its owner alone. */
export function tarOf(files: ReadonlyMap<string, string>, seconds: number): Uint8Array<ArrayBuffer> {
  const parts: Buffer[] = [];
  for (const [name, text] of files) {
    const data = Buffer.from(text);
    parts.push(headerOf(name, data.length, seconds), data, Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK));
  }
  return new Uint8Array(Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]));
}

function headerOf(name: string, size: number, seconds: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, "0")}\0`;
  header.write(name, 0, 100);
  header.write(octal(0o600, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(size, 11), 124);
  header.write(octal(Math.floor(seconds), 11), 136);
  // The checksum counts its own place as spaces.
  header.write(" ".repeat(8), 148);
  header.write("0", 156);
  header.write("ustar\u000000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)} `, 148);
  return header;
}
