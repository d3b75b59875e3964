/** A fresh key of this machine, and the request (PKCS#10) to have it certified. The key goes nowhere else. */
import "reflect-metadata";
import { Pkcs10CertificateRequestGenerator } from "@peculiar/x509";
import { pemOf } from "../tls/der.ts";

/** ECDSA on P-256, which every TLS peer speaks. */
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** A key and the request that it has signed. */
export interface CertificateRequest {
  /** PKCS#8, PEM. */
  readonly key: string;
  /** DER. */
  readonly csr: Uint8Array;
}

/** Makes a key and a request of `subject`. */
export async function requestCertificate(subject: string): Promise<CertificateRequest> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const name = [{ CN: [subject] }];
  const request = await Pkcs10CertificateRequestGenerator.create({ name, keys, signingAlgorithm: ALGORITHM });
  const key = pemOf("PRIVATE KEY", new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey)));
  return { key, csr: new Uint8Array(request.rawData) };
}
