/**
 * Builds an earlier version beside this checkout, for what has to bear two versions: the one that
 * LATTICE_TEST_PREVIOUS names, else the last release, else the last commit before this one
 * whose binaries build and run. The same history gives the same one each time.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../../scripts/workspace.ts";

/** Commits that are tried where there was no release: a commit may be broken, a row of them is a fault to hear of. */
const TRIES = 8;

/** The revisions to try, best first. */
function candidates(): readonly string[] {
  const named = process.env.LATTICE_TEST_PREVIOUS;
  if (named !== undefined) return [named];
  const tag = git("describe", "--tags", "--match", "v[0-9]*", "--abbrev=0", "HEAD~1");
  if (tag !== undefined) return [tag];
  return (git("rev-list", "--first-parent", `--max-count=${TRIES}`, "HEAD~1") ?? "").split("\n").filter(Boolean);
}

/** Why there is no earlier version here; undefined when there is one. */
export function previousObstacle(): string | undefined {
  if (Bun.which("git") === null) return "it needs git";
  const [first] = candidates();
  if (first === undefined) return "this checkout has neither an earlier release nor an earlier commit";
  const found = git("rev-parse", "--verify", "--quiet", `${first}^{commit}`);
  return found !== undefined ? undefined : `this checkout has no commit ${first}`;
}

/** A build of an earlier commit. */
export interface PreviousBuild {
  /** Its checkout. */
  readonly root: string;
  readonly dist: string;
  readonly commit: string;
  remove(): void;
}

/** Builds the earlier version. Its configuration files and scripts lie in `root`. */
export function buildPrevious(): PreviousBuild {
  const failures: string[] = [];
  for (const revision of candidates()) {
    const root = mkdtempSync(join(tmpdir(), "lattice-previous-"));
    const remove = () => rmSync(root, { recursive: true });
    try {
      const commit = sh(["git", "rev-parse", "--short=12", `${revision}^{commit}`], ROOT).trim();
      sh(["sh", "-c", `git archive ${commit} | tar x -C ${root}`], ROOT);
      sh([process.execPath, "scripts/build.ts"], root, { LATTICE_COMMIT: commit });
      const dist = join(root, "dist");
      for (const binary of ["lattice-server", "lattice-agent"]) sh([join(dist, binary), "--version"], root);
      console.log(`the earlier version is ${revision}, commit ${commit}`);
      return { root, dist, commit, remove };
    } catch (error) {
      remove();
      failures.push(`${revision}: ${String(error)}`);
    }
  }
  throw new Error(`no earlier version builds:\n${failures.join("\n")}`);
}

function git(...words: readonly string[]): string | undefined {
  const { exitCode, stdout } = Bun.spawnSync(["git", ...words], { cwd: ROOT, stderr: "ignore" });
  return exitCode === 0 ? stdout.toString().trim() : undefined;
}

function sh(command: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { cwd, env: { ...process.env, ...env } });
  if (exitCode !== 0) throw new Error(`${command.join(" ")} ended with ${exitCode}: ${stderr}${stdout}`);
  return stdout.toString();
}
