/**
 * Reads the subject alternative names of a certificate from its DER (RFC 5280, section
 * 4.2.1.6). The text that the runtime makes of them is not read: it joins them with commas
 * that may stand inside a name, so one name could pass for two.
 */

import { derElements } from "./der.ts";

/** The names of a certificate, by kind. */
export interface AlternativeNames {
  readonly dnsNames: readonly string[];
  readonly addresses: readonly string[];
  readonly uris: readonly string[];
}

const SEQUENCE = 0x30;
const OCTETS = 0x04;
const EXTENSIONS = 0xa3;
/** 2.5.29.17 */
const ALTERNATIVE_NAMES = [0x06, 0x03, 0x55, 0x1d, 0x11];
const [DNS_NAME, URI, ADDRESS] = [0x82, 0x86, 0x87];

/** Returns the names in a certificate, DER. */
export function alternativeNames(der: Uint8Array): AlternativeNames {
  const [certificate] = derElements(der);
  const [body] = derElements(certificate?.body ?? new Uint8Array());
  const wrapper = derElements(body?.body ?? new Uint8Array()).find(({ tag }) => tag === EXTENSIONS);
  const [list] = derElements(wrapper?.body ?? new Uint8Array());
  const extension = derElements(list?.body ?? new Uint8Array()).find(({ body: one }) =>
    ALTERNATIVE_NAMES.every((byte, i) => one[i] === byte),
  );
  const value = derElements(extension?.body ?? new Uint8Array()).find(({ tag }) => tag === OCTETS);
  const [names] = derElements(value?.body ?? new Uint8Array());
  const all = names?.tag === SEQUENCE ? derElements(names.body) : [];
  const of = (kind: number | undefined) => all.filter(({ tag }) => tag === kind).map(({ body: one }) => one);
  const printable = (bytes: Uint8Array) => String.fromCharCode(...bytes);
  const isName = (text: string) => /^[\x21-\x7e]{1,512}$/.test(text) && !text.includes(",");
  return {
    dnsNames: of(DNS_NAME)
      .map((one) => printable(one).toLowerCase())
      .filter(isName),
    addresses: of(ADDRESS).map(addressText),
    uris: of(URI).map(printable).filter(isName),
  };
}

function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from(
    { length: bytes.length / 2 },
    (_, i) => (bytes[2 * i] ?? 0) * 256 + (bytes[2 * i + 1] ?? 0),
  );
  return groups.map((group) => group.toString(16)).join(":");
}
