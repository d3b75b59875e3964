/**
 * Reads certificate, key and authorities as files hold them, and says everything that is
 * wrong with them at once: what cannot be read, what does not belong together, what is not
 * valid at this time. Server, agent and CLI read theirs here.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { fault, LatticeError } from "../core/domain/errors.ts";

/** Paths of PEM files. */
export interface TlsFiles {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
}

/** What the files hold, PEM. */
export interface TlsMaterial {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  /** When the certificate ends, in milliseconds since the epoch; absent without one. */
  readonly validUntil?: number;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** What a certificate must be good for. */
export interface CertificatePurpose {
  /** Ends of connections that it is shown at. */
  readonly ends: readonly ("server" | "client")[];
  /** Whether those who trust the authorities beside it must trust it too. */
  readonly isOfOwnAuthority?: boolean;
}

/** By end: the purpose that its extendedKeyUsage must hold, where it has one (RFC 5280, section 4.2.1.12). */
const USAGES = {
  server: { name: "serverAuth", id: "1.3.6.1.5.5.7.3.1" },
  client: { name: "clientAuth", id: "1.3.6.1.5.5.7.3.2" },
} as const;

/** Returns what the files hold. @throws INVALID_CONFIG with every problem, one a line. */
export function readCertificates(files: TlsFiles, now: number, purpose?: CertificatePurpose): TlsMaterial {
  const problems: string[] = [];
  const cert = textOf(files.cert, problems);
  const key = textOf(files.key, problems);
  const ca = textOf(files.ca, problems);
  const [leaf, ...intermediates] = certificatesIn(files.cert, cert, problems);
  const privateKey = keyIn(files.key, key, problems);
  const authorities = certificatesIn(files.ca, ca, problems);
  for (const authority of authorities) problems.push(...timeProblems(files.ca, authority, now));
  if (leaf !== undefined && purpose !== undefined) {
    problems.push(...purposeProblems(files, purpose, { chain: [leaf, ...intermediates], authorities }));
  }
  if (leaf !== undefined) problems.push(...timeProblems(files.cert, leaf, now));
  if (leaf !== undefined && privateKey !== undefined && !leaf.checkPrivateKey(privateKey)) {
    problems.push(`${files.key} is not the key of the certificate in ${files.cert} (${nameOf(leaf)})`);
  }
  if ((files.cert === undefined) !== (files.key === undefined)) {
    problems.push(`${files.cert ?? files.key}: a certificate and its key are given together, or neither`);
  }
  if (problems.length > 0) {
    throw new LatticeError(fault("INVALID_CONFIG", problems.join("\n"), "put the files named right, then start again"));
  }
  return {
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(ca !== undefined && { ca }),
    ...(leaf !== undefined && { validUntil: Date.parse(leaf.validTo) }),
  };
}

interface Chain {
  readonly chain: readonly X509Certificate[];
  readonly authorities: readonly X509Certificate[];
}

function purposeProblems(
  files: TlsFiles,
  { ends, isOfOwnAuthority }: CertificatePurpose,
  { chain, authorities }: Chain,
) {
  const [leaf] = chain;
  // Absent in the runtime where the certificate has no such extension.
  const held: readonly string[] | undefined = leaf?.keyUsage;
  const missing = ends.filter((end) => held !== undefined && !held.includes(USAGES[end].id));
  const problems = missing.map(
    (end) => `${files.cert}: the certificate is not for ${end}s: issue it with extendedKeyUsage ${USAGES[end].name}`,
  );
  const isTrusted = chain.some((one) => authorities.some((authority) => isIssuedBy(one, authority)));
  if (isOfOwnAuthority && authorities.length > 0 && !isTrusted) {
    const by = leaf?.issuer.replaceAll("\n", ", ");
    problems.push(
      `${files.cert} is of ${by}, which is not among the authorities in ${files.ca}: members would refuse it`,
    );
  }
  return problems;
}

const isIssuedBy = (one: X509Certificate, authority: X509Certificate): boolean =>
  one.fingerprint256 === authority.fingerprint256 || (one.checkIssued(authority) && one.verify(authority.publicKey));

function textOf(path: string | undefined, problems: string[]): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    problems.push(`${path} ${code === "ENOENT" ? "does not exist" : "cannot be read by this user"}`);
    return undefined;
  }
}

function certificatesIn(path: string | undefined, text: string | undefined, problems: string[]): X509Certificate[] {
  if (text === undefined) return [];
  try {
    const found = (text.match(CERTIFICATE) ?? []).map((pem) => new X509Certificate(pem));
    if (found.length === 0) problems.push(`${path} holds no certificate (PEM)`);
    return found;
  } catch {
    problems.push(`${path} holds a certificate that cannot be understood`);
    return [];
  }
}

function keyIn(path: string | undefined, text: string | undefined, problems: string[]): KeyObject | undefined {
  if (text === undefined) return undefined;
  try {
    return createPrivateKey(text);
  } catch {
    problems.push(`${path} holds no private key without a passphrase (PEM)`);
    return undefined;
  }
}

function timeProblems(path: string | undefined, certificate: X509Certificate, now: number): string[] {
  const { validFrom, validTo } = certificate;
  if (Date.parse(validTo) <= now) return [`${path}: the certificate of ${nameOf(certificate)} expired on ${validTo}`];
  if (Date.parse(validFrom) <= now) return [];
  return [`${path}: the certificate of ${nameOf(certificate)} is valid from ${validFrom} on: is the clock right?`];
}

const nameOf = ({ subject }: X509Certificate): string => subject.replaceAll("\n", ", ");
