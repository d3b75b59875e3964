/**
 * What an identity provider publishes about itself: its metadata (OpenID Connect
 * Discovery 1.0, section 4) and the keys that they point to. Nothing is believed of a
 * document that is too long, redirected, or of another issuer than the one asked.
 */
import type { JSONWebKeySet } from "jose";

const TIMEOUT_MS = 5_000;
const DOCUMENT_BYTES_MAX = 1024 * 1024;

/** Returns the keys that the provider signs with. @throws Error saying what is wrong with its answers. */
export async function readProviderKeys(issuer: string): Promise<JSONWebKeySet> {
  const address = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const metadata = await readRecord(address);
  if (metadata.issuer !== issuer) {
    throw new Error(`${address} is of issuer ${JSON.stringify(metadata.issuer)}: set api.oidc_issuer to that, exactly`);
  }
  const keys = metadata.jwks_uri;
  if (typeof keys !== "string" || !URL.canParse(keys)) throw new Error(`${address} names no jwks_uri`);
  if (issuer.startsWith("https:") && !keys.startsWith("https:")) throw new Error(`${keys} is not protected by TLS`);
  const set = await readRecord(keys);
  if (!Array.isArray(set.keys) || set.keys.length === 0) throw new Error(`${keys} holds no keys`);
  return { keys: set.keys };
}

async function readRecord(address: string): Promise<Readonly<Record<string, unknown>>> {
  const response = await fetch(address, {
    redirect: "error",
    headers: { accept: "application/json" },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch((cause: unknown) => {
    throw new Error(`${address} does not answer: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  });
  if (!response.ok) throw new Error(`${address} answers with status ${response.status}`);
  const value = parsed(await boundedText(response, address));
  if (value === undefined) throw new Error(`${address} is not a JSON record`);
  return value;
}

async function boundedText(response: Response, address: string): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of response.body ?? []) {
    length += piece.length;
    if (length > DOCUMENT_BYTES_MAX) throw new Error(`${address} is longer than ${DOCUMENT_BYTES_MAX} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === "object" && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
