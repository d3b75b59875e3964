/**
 * `bun run bench [--slurm] [--rounds=N] [--only=submit,work,…]`: builds the binaries and
 * measures them on loopback. Prints figures and targets; never fails by the clock.
 */
import { buildBinaries } from "../../scripts/build.ts";
import { binaryFigures } from "./binaries.ts";
import type { Figure } from "./figure.ts";
import { printFigures, printMachine } from "./figure.ts";
import { footprint } from "./footprint.ts";
import { restartTime } from "./restart-time.ts";
import { missingForSlurm, ratios, slurmFigures } from "./slurm.ts";
import { startLatency } from "./start-latency.ts";
import { submitRates } from "./submit-rate.ts";
import { workRates } from "./work-rate.ts";

const SECTIONS: Readonly<Record<string, (rounds: number) => Promise<readonly Figure[]>>> = {
  binaries: binaryFigures,
  footprint,
  latency: startLatency,
  submit: submitRates,
  work: workRates,
  restart: restartTime,
};

async function main(argv: readonly string[]): Promise<number> {
  const options = new Map(argv.map((word) => word.split(/=(.*)/)).map(([key = "", value = ""]) => [key, value]));
  const unknown = [...options.keys()].find((key) => !["--slurm", "--rounds", "--only"].includes(key));
  const only = options.get("--only")?.split(",") ?? Object.keys(SECTIONS);
  const stray = only.find((name) => !(name in SECTIONS));
  const problem = unknown ?? stray ?? (options.has("--slurm") ? missingForSlurm() : undefined);
  if (problem !== undefined) {
    console.error(
      `${problem}\nUsage: bun run bench [--slurm] [--rounds=N] [--only=${Object.keys(SECTIONS).join(",")}]`,
    );
    return 2;
  }
  buildBinaries();
  printMachine();
  const figures: Figure[] = [];
  for (const name of only) {
    const section = (await SECTIONS[name]?.(Number(options.get("--rounds") ?? 3))) ?? [];
    printFigures(section);
    figures.push(...section);
  }
  if (options.has("--slurm")) {
    const slurm = await slurmFigures();
    printFigures(slurm);
    printFigures(ratios(figures, slurm));
  }
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
