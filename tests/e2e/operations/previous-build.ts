/** Builds an earlier commit beside this checkout, for what has to bear two versions. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../../scripts/workspace.ts";

/** The commit that upgrades begin from: the one before this, unless LATTICE_TEST_PREVIOUS names another. */
const PREVIOUS = process.env.LATTICE_TEST_PREVIOUS ?? "HEAD~1";

/** Why there is no earlier commit here; undefined when there is one. */
export function previousObstacle(): string | undefined {
  if (Bun.which("git") === null) return "it needs git";
  const found = Bun.spawnSync(["git", "rev-parse", "--verify", "--quiet", `${PREVIOUS}^{commit}`], { cwd: ROOT });
  return found.exitCode === 0 ? undefined : `this checkout has no commit ${PREVIOUS}`;
}

/** A build of an earlier commit. */
export interface PreviousBuild {
  /** Its checkout. */
  readonly root: string;
  readonly dist: string;
  readonly commit: string;
  remove(): void;
}

/** Builds the earlier commit. Its configuration files and scripts lie in `root`. */
export function buildPrevious(): PreviousBuild {
  const root = mkdtempSync(join(tmpdir(), "lattice-previous-"));
  const commit = sh(["git", "rev-parse", "--short=12", PREVIOUS], ROOT).trim();
  mkdirSync(root, { recursive: true });
  sh(["sh", "-c", `git archive ${commit} | tar x -C ${root}`], ROOT);
  sh([process.execPath, "scripts/build.ts"], root, { LATTICE_COMMIT: commit });
  return { root, dist: join(root, "dist"), commit, remove: () => rmSync(root, { recursive: true }) };
}

function sh(command: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { cwd, env: { ...process.env, ...env } });
  if (exitCode !== 0) throw new Error(`${command.join(" ")} ended with ${exitCode}: ${stderr}${stdout}`);
  return stdout.toString();
}
