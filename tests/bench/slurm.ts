/** The same figures of a real Slurm on this machine, from the scripts beside scripts/build.ts. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../scripts/workspace.ts";
import type { Figure } from "./figure.ts";

const NEEDS = ["slurmctld", "slurmd", "slurmdbd", "sbatch", "munged", "mariadbd", "bc"];
const PACKAGES = "slurmctld slurmd slurmdbd slurm-client munge mariadb-server bc";

/** Returns what is missing to start a Slurm, as a sentence; undefined when nothing is. */
export function missingForSlurm(): string | undefined {
  const missing = NEEDS.filter((name) => Bun.which(name) === null);
  if (missing.length > 0) return `--slurm needs ${missing.join(", ")}: install (Debian) ${PACKAGES}`;
  return process.getuid?.() === 0 ? undefined : "--slurm needs root, to start Slurm's daemons";
}

/** Starts Slurm, runs its bench and ends it. */
export async function slurmFigures(): Promise<readonly Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "lattice-slurm-"));
  try {
    const log = await script("slurm-up.sh", [folder], {});
    const conf = /^export SLURM_CONF=(.+)$/m.exec(log)?.[1];
    if (conf === undefined) throw new Error(`Slurm did not start:\n${log}`);
    const lines = (await script("slurm-bench.sh", [], { SLURM_CONF: conf })).trim().split("\n");
    return lines.map((line) => {
      const [name = "", value, unit = ""] = line.split(" ");
      return { name, value: Number(value), unit };
    });
  } finally {
    await script("slurm-up.sh", [folder, "stop"], {});
    await Bun.sleep(2_000);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The pairs of figures that are compared, ours first. Single jobs come to Slurm through its CLI, to us over REST and our CLI. */
export function ratios(ours: readonly Figure[], slurms: readonly Figure[]): readonly Figure[] {
  return PAIRS.flatMap(([our, their, atLeast]) => {
    const a = ours.find((figure) => figure.name.startsWith(our));
    const b = slurms.find((figure) => figure.name === their);
    if (!a || !b) return [];
    const target = atLeast > 0 && { target: { atLeast } };
    return [{ name: `${our} against ${their}`, value: a.value / b.value, unit: "times", ...target }];
  });
}

const PAIRS = [
  ["run true, 1000 singles", "slurm_cli_submit_to_all_done", 3],
  ["run true, array", "slurm_array_1000_run", 3],
  ["lattice submit, 200 one", "slurm_cli_submit_sequential", 0],
  ["lattice submit, 200 to", "slurm_cli_submit_to_all_done", 0],
] as const;

/** Output goes to a file: the daemons that a script leaves behind would hold a pipe open. */
async function script(name: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  const log = join(tmpdir(), `lattice-${name}-${process.pid}.log`);
  const command = ["/bin/bash", "-c", 'exec "$@" > "$0" 2>&1', log, join(ROOT, "scripts", name), ...args];
  const run = Bun.spawn(command, { env: { ...process.env, ...env }, stdin: "ignore" });
  const code = await run.exited;
  const text = await Bun.file(log).text();
  rmSync(log, { force: true });
  if (code !== 0 && args[1] !== "stop") throw new Error(`${name} ended with ${code}:\n${text}`);
  return text;
}
