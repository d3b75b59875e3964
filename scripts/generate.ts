/**
 * Writes every generated file: src/gen from proto (by buf), docs/reference and
 * config/production.yaml from the tables in src. With --check it writes nothing, names
 * what is stale and leaves with 1.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cliReference } from "../src/cli/reference.ts";
import {
  renderAccessReference,
  renderErrorReference,
  renderMetricReference,
  renderReasonReference,
} from "./reference/catalogues.ts";
import { renderConfigReference, renderProductionYaml } from "./reference/config.ts";
import { DASHBOARDS, renderDashboard } from "./reference/dashboards.ts";
import { renderOpenApi } from "./reference/openapi.ts";
import { ROOT, runTool } from "./workspace.ts";

/** Every generated file besides src/gen: its path and what makes it. */
export const GENERATED: Readonly<Record<string, () => string | Promise<string>>> = {
  "config/production.yaml": renderProductionYaml,
  "docs/reference/access.md": renderAccessReference,
  "docs/reference/cli.md": cliReference,
  "docs/reference/config.md": renderConfigReference,
  "docs/reference/errors.md": renderErrorReference,
  "docs/reference/metrics.md": renderMetricReference,
  "docs/reference/openapi.json": renderOpenApi,
  "docs/reference/reasons.md": renderReasonReference,
  ...Object.fromEntries(
    DASHBOARDS.map((dashboard) => [`infra/grafana/dashboards/${dashboard.uid}.json`, () => renderDashboard(dashboard)]),
  ),
};

/** Returns the paths of generated files that differ from a fresh generation. */
export async function staleFiles(): Promise<readonly string[]> {
  const stale: string[] = [];
  for (const [path, make] of Object.entries(GENERATED)) if (textOf(path) !== (await make())) stale.push(path);
  return [...stale, ...staleContract()];
}

/** Generates src/gen below `out`; throws with buf's words. */
function generateContract(out: string): void {
  const buf = runTool("buf", ["generate", "--output", out]);
  if (buf.exitCode !== 0) throw new Error(`buf generate: ${buf.stderr}`);
}

function staleContract(): string[] {
  const out = mkdtempSync(join(tmpdir(), "lattice-generate-"));
  try {
    generateContract(out);
    const list = (folder: string) => [...new Bun.Glob("src/gen/**/*.ts").scanSync(folder)];
    const paths = new Set([...list(out), ...list(ROOT)]);
    return [...paths].filter((p) => textOf(p) !== textOf(p, out));
  } finally {
    rmSync(out, { recursive: true });
  }
}

function textOf(path: string, root = ROOT): string | undefined {
  try {
    return readFileSync(join(root, path), "utf8");
  } catch {
    return undefined;
  }
}

if (import.meta.main) {
  if (process.argv.includes("--check")) {
    const stale = await staleFiles();
    for (const path of stale) console.error(`${path} is stale: bun run generate`);
    process.exit(stale.length === 0 ? 0 : 1);
  }
  generateContract(ROOT);
  for (const [path, make] of Object.entries(GENERATED)) writeFileSync(join(ROOT, path), await make());
}
