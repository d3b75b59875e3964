/**
 * The servers' authority: signs certificates of agents with a key that every server has as a
 * secret, and makes join tokens that any of them can check with it. Neither key nor tokens
 * enter the log, a snapshot or a backup.
 */
import "reflect-metadata";
import { createHash, createPrivateKey, createPublicKey, hkdfSync, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  X509Certificate as X509,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { errors, jwtVerify, SignJWT } from "jose";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { CertificateAuthority, JoinClaims, Signing } from "../../ports/certificate-authority.ts";

/** The authority as the configuration gives it. */
export interface AuthorityFiles {
  /** PEM. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  readonly lifetimeMs: number;
}

const TOKEN_TYPE = "lattice-join";
/** Clocks of agents may lag behind. */
const BACKDATE_MS = 60_000;
const CURVES: Readonly<Record<string, string>> = { prime256v1: "P-256", secp384r1: "P-384", secp521r1: "P-521" };

/** Returns what is wrong with the two files, one sentence each. */
export function authorityProblems({ cert, key }: AuthorityFiles, now: number): readonly string[] {
  try {
    const authority = new X509Certificate(cert);
    const problems: string[] = [];
    if (!authority.ca) problems.push("identity.ca_cert is not the certificate of an authority (basicConstraints CA)");
    if (Date.parse(authority.validTo) <= now) problems.push(`identity.ca_cert expired on ${authority.validTo}`);
    if (!authority.checkPrivateKey(createPrivateKey(key)))
      problems.push("identity.ca_key is not the key of identity.ca_cert");
    return problems;
  } catch {
    return ["identity.ca_cert or identity.ca_key is no PEM that can be understood"];
  }
}

/** Opens the authority; its files have no problems. */
export async function openAuthority({ cert, key, lifetimeMs }: AuthorityFiles): Promise<CertificateAuthority> {
  const privateKey = createPrivateKey(key);
  const pkcs8 = privateKey.export({ type: "pkcs8", format: "der" });
  const algorithm = algorithmOf(privateKey);
  const signingKey = await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]);
  const tokenKey = new Uint8Array(hkdfSync("sha256", pkcs8, "", "lattice join token", 32));
  const issuer = new X509(cert);
  const publicKey = createPublicKey(privateKey);
  return {
    issueToken: ({ id, node, addresses, expiresAt }) =>
      new SignJWT({ jti: id, sub: node, addresses, exp: Math.floor(expiresAt / 1_000) })
        .setProtectedHeader({ alg: "HS256", typ: TOKEN_TYPE })
        .sign(tokenKey),
    readToken: (token, now) => readToken(token, tokenKey, now),
    keyOf: async (csr) =>
      createHash("sha256")
        .update(new Uint8Array((await checked(csr)).publicKey.rawData))
        .digest("hex"),
    hasSigned: (certificate) => new X509Certificate(certificate).verify(publicKey),
    async sign(signing) {
      const request = await checked(signing.csr);
      const notBefore = new Date(signing.at - BACKDATE_MS);
      const notAfter = new Date(Math.min(signing.at + lifetimeMs, issuer.notAfter.getTime()));
      const certificate = await X509CertificateGenerator.create({
        subject: [{ CN: [signing.node] }],
        issuer: issuer.subjectName,
        notBefore,
        notAfter,
        publicKey: request.publicKey,
        signingKey,
        signingAlgorithm: algorithm,
        extensions: extensionsOf(signing),
      });
      return { certificate: certificate.toString("pem"), ca: cert };
    },
  };
}

const extensionsOf = ({ node, addresses }: Signing) => [
  new BasicConstraintsExtension(false, undefined, true),
  new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
  new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth]),
  new SubjectAlternativeNameExtension([
    { type: "url", value: `spiffe://lattice/agent/${node}` },
    ...[...new Set([node, ...addresses])].map((name) =>
      isIP(name) === 0 ? ({ type: "dns", value: name } as const) : ({ type: "ip", value: name } as const),
    ),
  ]),
];

function algorithmOf(key: ReturnType<typeof createPrivateKey>) {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === "rsa") return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const namedCurve = CURVES[details?.namedCurve ?? ""];
  if (type === "ec" && namedCurve !== undefined) return { name: "ECDSA", namedCurve, hash: "SHA-256" };
  const next = "make it with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256";
  throw new LatticeError(fault("INVALID_CONFIG", `identity.ca_key is a key of type ${type}, not EC or RSA`, next));
}

/** A request proves that its sender has the key. */
async function checked(csr: Uint8Array): Promise<Pkcs10CertificateRequest> {
  try {
    const request = new Pkcs10CertificateRequest(new Uint8Array(csr));
    if (await request.verify()) return request;
  } catch {
    // What cannot be read is refused like what does not hold.
  }
  throw new LatticeError(fault("INVALID_SPEC", "the certificate request (PKCS#10) is not signed by its own key"));
}

async function readToken(token: string, key: Uint8Array, now: number): Promise<JoinClaims> {
  const options = {
    algorithms: ["HS256"],
    typ: TOKEN_TYPE,
    currentDate: new Date(now),
    requiredClaims: ["jti", "sub", "exp"],
  };
  const next = "make another: lattice admin join-token NODE";
  const { payload } = await jwtVerify(token, key, options).catch((cause: unknown) => {
    const isLate = cause instanceof errors.JWTExpired;
    const found = isLate
      ? fault("TOKEN_EXPIRED", "the join token has expired", next)
      : fault("UNAUTHENTICATED", "the join token is not of these servers", next);
    throw new LatticeError(found, { cause });
  });
  const { jti = "", sub = "", exp = 0, addresses } = payload;
  const listed = Array.isArray(addresses) ? addresses.filter((one) => typeof one === "string") : [];
  return { id: jti, node: sub, addresses: listed, expiresAt: exp * 1_000 };
}
