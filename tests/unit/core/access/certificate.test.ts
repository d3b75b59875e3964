/** Shows what a certificate makes of its holder: which nodes it may be, at which addresses, and who is a person. */
import { expect, test } from "bun:test";
import type { CertificateIdentity } from "../../../../src/core/access/certificate.ts";
import { canonicalAddress, machineOf, nodeDefect, nodesOf } from "../../../../src/core/access/certificate.ts";

const NOBODY: CertificateIdentity = { subject: "x", dnsNames: [], addresses: [], uris: [], validUntil: 1 };
const named = (names: Partial<CertificateIdentity>): CertificateIdentity => ({ ...NOBODY, ...names });

test("a certificate without names of machines is a person's", () => {
  expect(machineOf(NOBODY)).toBeUndefined();
});

test("DNS names and SPIFFE ids of agents are node ids; wildcards and other URIs are none", () => {
  const uris = ["spiffe://hpc/agent/n7", "spiffe://hpc/eu/node/n8", "spiffe://hpc/server/s1", "https://hpc/agent/n9"];
  expect(nodesOf(named({ dnsNames: ["n1", "*.hpc"], uris }))).toEqual(["n7", "n8", "n1"]);
});

test("a machine of one node is bound to it, and one that names a server by SPIFFE is a server", () => {
  expect(machineOf(named({ dnsNames: ["n1"] }))).toMatchObject({ role: "agent", node: "n1" });
  expect(machineOf(named({ dnsNames: ["n1", "n1.hpc"] }))?.node).toBeUndefined();
  expect(machineOf(named({ dnsNames: ["s1"], uris: ["spiffe://hpc/server/s1"] }))).toMatchObject({ role: "server" });
});

test.each([
  ["n1", "n1:50052", true],
  ["N1", "N1:50052", true],
  ["n1", "n1.hpc:50052", true],
  ["n1", "10.0.0.1:50052", true],
  ["n1", "[FD00:0::1]:50052", true],
  ["n1", "a.n1.hpc:50052", false],
  ["n1", "hpc:50052", false],
  ["n1", "10.0.0.2:50052", false],
  ["n1", ":50052", false],
  ["n2", "n1:50052", false],
  ["n1.hpc", "n1:50052", false],
  ["*.hpc", "n1:50052", false],
])("INV-A3: node %s at %s is in the certificate: %s", (node, address, isNamed) => {
  const addresses = ["10.0.0.1", canonicalAddress("fd00::1")];
  const certificate = named({ dnsNames: ["n1", "*.hpc"], addresses });
  expect(nodeDefect(certificate, { node, address }) === undefined).toBe(isNamed);
});
