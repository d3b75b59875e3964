/**
 * The bill of materials of a release (CycloneDX 1.6): exactly the packages whose code is in
 * the binaries, by their source maps, with version and checksum from bun.lock, and the Bun
 * that runs them. The same binaries give the same document, byte for byte.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./workspace.ts";

/** A package whose code is in a binary. */
export interface Shipped {
  readonly name: string;
  readonly version: string;
  /** Subresource integrity, as in bun.lock. */
  readonly integrity: string;
  readonly license: string;
  /** Its licence in full; empty when it brings none. */
  readonly licenseText: string;
}

/** What the document is about. */
export interface ReleaseFacts {
  readonly version: string;
  readonly commit: string;
  /** Seconds since the epoch. */
  readonly time: number;
}

/** Where a bundled file comes from: node_modules, then packages, the last of which it belongs to. */
const IN_PACKAGE = /(?:^|\/)(node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+)\//;

/** Returns the packages in the binaries that `folders` hold the source maps of, by name. */
export function shippedPackages(folders: readonly string[]): readonly Shipped[] {
  const roots = new Set<string>();
  for (const folder of folders) {
    for (const file of readdirSync(folder).filter((name) => name.endsWith(".map"))) {
      const { sources }: { readonly sources: readonly string[] } = JSON.parse(readFileSync(join(folder, file), "utf8"));
      for (const source of sources) {
        const root = IN_PACKAGE.exec(source)?.[1];
        if (root !== undefined) roots.add(root);
      }
    }
  }
  const lock = readLock();
  return [...roots].toSorted().map((root) => shipped(root, lock));
}

type Lock = ReadonlyMap<string, { readonly spec: string; readonly integrity: string }>;

function readLock(): Lock {
  const parsed: { readonly packages: Readonly<Record<string, readonly unknown[]>> } = Bun.JSONC.parse(
    readFileSync(join(ROOT, "bun.lock"), "utf8"),
  ) as never;
  return new Map(
    Object.entries(parsed.packages).map(([path, entry]) => [
      path,
      { spec: String(entry[0]), integrity: String(entry.at(-1)) },
    ]),
  );
}

function shipped(root: string, lock: Lock): Shipped {
  const folder = join(ROOT, root);
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const path = root.slice("node_modules/".length).replaceAll("/node_modules/", "/");
  const locked = lock.get(path);
  if (locked?.spec !== `${manifest.name}@${manifest.version}`) {
    throw new Error(`${root} holds ${manifest.name}@${manifest.version}, and bun.lock ${locked?.spec ?? "nothing"}`);
  }
  const text = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
  return {
    name: manifest.name,
    version: manifest.version,
    integrity: locked.integrity,
    license: typeof manifest.license === "string" ? manifest.license : "",
    licenseText: text !== undefined && existsSync(join(folder, text)) ? readFileSync(join(folder, text), "utf8") : "",
  };
}

/** Returns the bill of materials as JSON text. */
export function renderSbom(packages: readonly Shipped[], { version, commit, time }: ReleaseFacts): string {
  const product = { type: "application", name: "lattice", version, licenses: [{ license: { id: "Apache-2.0" } }] };
  const bun = {
    type: "platform",
    name: "bun",
    version: Bun.version,
    purl: `pkg:npm/bun@${Bun.version}`,
    licenses: [{ license: { id: "MIT" } }],
  };
  const components = [bun, ...packages.map(component)].map((each) => ({ "bom-ref": each.purl, ...each }));
  const ref = `pkg:generic/lattice@${version}?vcs_ref=${commit}`;
  const content = {
    metadata: {
      timestamp: new Date(time * 1000).toISOString(),
      component: { "bom-ref": ref, ...product },
      properties: [{ name: "lattice:commit", value: commit }],
    },
    components,
    dependencies: [{ ref, dependsOn: components.map(({ purl }) => purl) }],
  };
  const head = { bomFormat: "CycloneDX", specVersion: "1.6", serialNumber: `urn:uuid:${uuidOf(content)}`, version: 1 };
  return `${JSON.stringify({ ...head, ...content }, null, 2)}\n`;
}

function component({ name, version, integrity, license }: Shipped) {
  const [algorithm = "", base64 = ""] = integrity.split(/-(.*)/s);
  const isSimple = /^[A-Za-z0-9.+-]+$/.test(license);
  return {
    type: "library",
    name,
    version,
    purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
    hashes: [{ alg: algorithm.replace("sha", "SHA-"), content: Buffer.from(base64, "base64").toString("hex") }],
    ...(license !== "" && { licenses: [isSimple ? { license: { id: license } } : { expression: license }] }),
  };
}

/** A UUID (version 8, RFC 9562) that follows from the content. */
function uuidOf(content: unknown): string {
  const hex = createHash("sha256").update(JSON.stringify(content)).digest("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    "-",
  );
}

/** Returns the licences of everything in the binaries, as their owners ask to be told. */
export function renderLicenses(packages: readonly Shipped[]): string {
  const bun = `bun ${Bun.version}\nMIT; it contains parts under other licences: https://bun.com/docs/project/license`;
  const others = packages.map(({ name, version, license, licenseText }) =>
    [`${name} ${version}`, license, "", licenseText.trim()].join("\n").trimEnd(),
  );
  const head = "Lattice is under the Apache License 2.0 (LICENSE). Its binaries contain the following.";
  return `${[head, bun, ...others].join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}
