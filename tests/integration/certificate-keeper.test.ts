/** Shows when a keeper reads its files again, whom it tells, and what it says of the end of a certificate. */
import { expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import type { CertificatePurpose } from "../../src/config/certificate-files.ts";
import { readCertificates } from "../../src/config/certificate-files.ts";
import { fault, LatticeError } from "../../src/core/domain/errors.ts";
import { CertificateKeeper } from "../../src/io/tls/certificate-keeper.ts";
import { FakeClock } from "../fixtures/fake-clock.ts";
import { OpensslAuthority } from "../fixtures/openssl-authority.ts";
import { keepingLogger, type LogLine } from "../fixtures/peer-networks.ts";
import { TempDir } from "../fixtures/temp-dir.ts";

const DAY_MS = 86_400_000;

test("a file that changes is read again, a useless one changes nothing, and the end is warned about", async () => {
  using dir = new TempDir();
  const path = dir.join("cert.pem");
  const clock = new FakeClock();
  const lines: LogLine[] = [];
  let cert = "first";
  let days = 60;
  const read = () => {
    if (cert === "") throw new LatticeError(fault("INVALID_CONFIG", "cert.pem holds no certificate"));
    return { cert, validUntil: clock.now() + days * DAY_MS };
  };
  writeFileSync(path, "a");
  const keeper = new CertificateKeeper({ paths: [path], read, clock, log: keepingLogger(lines) });
  const told: unknown[] = [];
  keeper.onChange((fresh) => told.push(fresh.cert));
  await clock.pass(10_000);
  expect([lines, told]).toEqual([[], []]);

  [cert, days] = ["second", 5];
  writeFileSync(path, "bb");
  await clock.pass(20_000);
  expect(told).toEqual(["second"]);
  expect(lines.map(({ message }) => message)).toEqual([
    "the certificates are replaced; connections go on",
    "the certificate expires soon",
  ]);

  cert = "";
  rmSync(path);
  await clock.pass(20_000);
  expect(keeper.current.cert).toBe("second");
  expect(lines.at(-1)).toMatchObject({ level: "error", reason: "cert.pem holds no certificate" });

  [cert, days] = ["third", 0];
  writeFileSync(path, "ccc");
  await clock.pass(5_000);
  expect(lines.at(-1)?.message).toBe("the certificate has expired: nobody can connect");
  keeper.close();
});

function problemsOf(files: Parameters<typeof readCertificates>[0]): string {
  try {
    readCertificates(files, Date.now());
    return "";
  } catch (error) {
    return error instanceof LatticeError ? error.fault.message : String(error);
  }
}

test("a certificate that is not for its end, or of no authority that members trust, is told with what to do", () => {
  using site = new OpensslAuthority();
  using other = new OpensslAuthority("other CA");
  const clientOnly = site.issue("client", { names: "DNS:a", usage: "clientAuth" });
  const asMember = { ends: ["server", "client"], isOfOwnAuthority: true } as const;
  const told = (files: Parameters<typeof readCertificates>[0], purpose: CertificatePurpose) => {
    try {
      return readCertificates(files, Date.now(), purpose).cert === undefined ? "nothing" : "";
    } catch (error) {
      return error instanceof LatticeError ? error.fault.message : String(error);
    }
  };
  expect(told(clientOnly, asMember)).toBe(
    `${clientOnly.cert}: the certificate is not for servers: issue it with extendedKeyUsage serverAuth`,
  );
  expect(told(clientOnly, { ends: ["client"] })).toBe("");
  const good = site.issue("good", { names: "DNS:good" });
  expect(told(good, asMember)).toBe("");
  expect(told({ ...good, ca: other.ca }, asMember)).toBe(
    `${good.cert} is of CN=site CA, which is not among the authorities in ${other.ca}: members would refuse it`,
  );
  expect(told({ ...good, ca: other.ca }, { ends: ["server"] })).toBe("");
});

test("files that are of no use are told at once: expired, of another key, missing, no PEM", () => {
  using site = new OpensslAuthority();
  const good = site.issue("good", { names: "DNS:good" });
  const old = site.issue("old", { days: -1 });
  expect(problemsOf(good)).toBe("");
  expect(problemsOf(old)).toMatch(/old\.crt: the certificate of CN=old expired on /);
  expect(problemsOf({ ...good, key: old.key })).toContain(
    `${old.key} is not the key of the certificate in ${good.cert}`,
  );
  const two = problemsOf({ cert: site.dir, key: good.key, ca: `${site.dir}/none` }).split("\n");
  expect(two).toEqual([`${site.dir} cannot be read by this user`, `${site.dir}/none does not exist`]);
  writeFileSync(`${site.dir}/text`, "hello");
  const none = problemsOf({ cert: `${site.dir}/text`, key: `${site.dir}/text` });
  expect(none).toContain("text holds no certificate (PEM)");
  expect(none).toContain("text holds no private key");
});
