/** Shows that no script makes the parser of directives fail other than by a fault, and that it reads headers only. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseDirectives } from "../../../../src/core/slurm/parse-directives.ts";
import { SBATCH_LETTERS, SBATCH_OPTIONS } from "../../../../src/core/slurm/sbatch-options.ts";

const word = fc.oneof(
  fc.constantFrom(...[...SBATCH_OPTIONS.keys()].map((name) => `--${name}`)),
  fc.constantFrom(...[...SBATCH_LETTERS.keys()].map((letter) => `-${letter}`)),
  fc.constantFrom("=", "4", "1:00", "'", '"', "#", "\\", "gpu:2", "a,b", "-", "--", "%5"),
  fc.string({ maxLength: 5 }),
);

test("any directive is understood, warned about or refused", () => {
  fc.assert(
    fc.property(
      fc.array(word, { maxLength: 8 }),
      fc.constantFrom("#SBATCH ", "#LATTICE ", "#SBATCH"),
      (words, magic) => {
        for (const glue of [" ", "="]) {
          const parsed = parseDirectives(`#!/bin/sh\n${magic}${words.join(glue)}\ntrue\n`);
          if (!parsed.ok) expect(parsed.error.message).toMatch(/^line \d+: /);
        }
      },
    ),
    { seed: 1, numRuns: 500 },
  );
});

test("every option of sbatch is obeyed or warned about by its name", () => {
  for (const [name, { arity }] of SBATCH_OPTIONS) {
    const parsed = parseDirectives(`#SBATCH --${name}${arity === "value" ? "=1" : ""}`);
    const told = parsed.ok ? parsed.value.warnings.join("\n") : parsed.error.message;
    expect(told).not.toContain("is not an option");
    if (told !== "") expect(told).toContain(`--${name}`);
  }
});

test("a script of megabytes costs no more than its header", () => {
  const script = `#!/bin/sh\n#SBATCH -N 2\n${"echo a line of work\n".repeat(200_000)}`;
  expect(parseDirectives(script)).toMatchObject({ ok: true, value: { request: { nodesMin: 2 }, warnings: [] } });
});
