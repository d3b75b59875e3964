/**
 * Shows that infra/gcp is sound as far as can be told without Google's provider: terraform reads and
 * formats it, packer checks the image, every variable and resource that is named is declared, and the
 * variables of the specification are there. Says so where terraform or packer is missing.
 */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const GCP = join(import.meta.dir, "../../infra/gcp");
const hasTerraform = Bun.which("terraform") !== null;
const hasPacker = Bun.which("packer") !== null && Bun.spawnSync(["packer", "version"]).stdout.includes("Packer");
if (!hasTerraform) console.log("left out: reading infra/gcp needs terraform");
if (!hasPacker) console.log("left out: checking the image needs packer");
const text = readdirSync(GCP)
  .filter((name) => name.endsWith(".tf"))
  .map((name) => readFileSync(join(GCP, name), "utf8"))
  .join("\n");
const named = (pattern: RegExp): ReadonlySet<string> =>
  new Set([...text.matchAll(pattern)].map(([, name = ""]) => name));

test.skipIf(!hasTerraform)("terraform reads it, and would write it the same", () => {
  const { TF_CLI_CONFIG_FILE: _, ...env } = process.env;
  const run = Bun.spawnSync(["terraform", "fmt", "-check", "-diff", "-recursive", GCP], { env });
  expect(`${run.stdout}${run.stderr}`).toBe("");
  expect(run.exitCode).toBe(0);
});

test.skipIf(!hasPacker)("packer takes the image with the variable of the specification, and not without", () => {
  const validate = (...flags: readonly string[]) =>
    Bun.spawnSync(["packer", "validate", ...flags, "lattice-compute.pkr.hcl"], { cwd: join(GCP, "packer") }).exitCode;
  expect(validate("-var", "project_id=p")).toBe(0);
  expect(validate()).not.toBe(0);
});

test("each variable and resource that is named is declared, and each variable is used", () => {
  const declared = named(/^variable "(\w+)"/gm);
  const used = named(/\bvar\.(\w+)/g);
  expect([...used].filter((name) => !declared.has(name))).toEqual([]);
  expect([...declared].filter((name) => !used.has(name))).toEqual([]);
  for (const name of ["project_id", "use_packer_image"]) expect(declared).toContain(name);
  const resources = named(/^resource "(\w+" "\w+)"/gm);
  const asked = named(/\b(google_\w+\.\w+)/g);
  expect([...asked].filter((name) => !resources.has(name.replace(".", '" "')))).toEqual([]);
});
