/** Cuts DER (X.690) into its elements, for the few places that must look inside a certificate without trusting its text form. */

/** One element. */
export interface DerElement {
  readonly tag: number;
  readonly body: Uint8Array;
  /** With tag and length. */
  readonly whole: Uint8Array;
}

/** Returns the elements that stand one after another in `bytes`, up to the first that is cut off. */
export function derElements(bytes: Uint8Array): DerElement[] {
  const found: DerElement[] = [];
  for (let at = 0; at + 1 < bytes.length; ) {
    const first = bytes[at + 1] ?? 0;
    const extra = first < 0x80 ? 0 : first & 0x7f;
    let length = first < 0x80 ? first : 0;
    for (let i = 0; i < extra; i++) length = length * 256 + (bytes[at + 2 + i] ?? 0);
    const begin = at + 2 + extra;
    const end = begin + length;
    if (extra > 4 || end > bytes.length) return found;
    found.push({ tag: bytes[at] ?? 0, body: bytes.subarray(begin, end), whole: bytes.subarray(at, end) });
    at = end;
  }
  return found;
}

/** Returns DER as PEM of a kind, such as CERTIFICATE. */
export function pemOf(kind: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${kind}-----\n${lines.join("\n")}\n-----END ${kind}-----\n`;
}
