/** What a release is made of: which files go with each binary, into the tarballs and into the Debian packages. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { completionScript, SHELLS } from "../src/cli/completion-scripts.ts";
import { PROGRAM } from "../src/cli/program.ts";
import { GLOBAL_FLAGS } from "../src/cli/settings.ts";
import { walk } from "../src/cli/walk.ts";
import { BINARIES } from "./binaries.ts";
import { flagCompletions } from "./manual/flag-completions.ts";
import { manPages } from "./manual/man-pages.ts";
import { ROOT } from "./workspace.ts";

/** A machine that there are binaries for, by the names that each trade has for it. */
export interface Architecture {
  /** In names of tarballs, as the specification writes it. */
  readonly name: "x86_64" | "arm64";
  /** Of `bun build --compile`. */
  readonly target: string;
  readonly debian: string;
}

/** The machines. */
export const ARCHITECTURES: readonly Architecture[] = [
  { name: "x86_64", target: "bun-linux-x64-baseline", debian: "amd64" },
  { name: "arm64", target: "bun-linux-arm64", debian: "arm64" },
];

/** A file of a package: a copy of one of this checkout, or a text. */
export type Content = { readonly from: string } | { readonly text: string };
/** Files by their path in the package. */
export type Contents = ReadonlyMap<string, Content>;

const copy = (...paths: readonly string[]): [string, Content][] => paths.map((path) => [path, { from: path }]);
const under = (folder: string, wanted: RegExp): string[] =>
  readdirSync(join(ROOT, folder))
    .filter((name) => wanted.test(name))
    .map((name) => `${folder}/${name}`)
    .toSorted();

/** Returns what stands beside the binary in its tarball. The paths are those that the installation guide copies from. */
export async function tarballContents(name: string): Promise<Contents> {
  const files = new Map<string, Content>(copy("LICENSE"));
  const add = (more: readonly [string, Content][]): void => {
    for (const [path, content] of more) files.set(path, content);
  };
  if (name === "lattice-server") {
    add(copy(...under("infra/systemd", /^lattice(-server\.\w+|\.conf)$/), ...under("infra/alerting", /\.yaml$/)));
    add(copy(...under("infra/grafana/dashboards", /\.json$/), ...under("infra/grafana/provisioning", /\.yaml$/)));
    add(
      copy(
        "config/minimal.yaml",
        "config/production.yaml",
        ...under("docs/operations", /\.md$/),
        ...under("docs/guide", /\.md$/),
      ),
    );
    add(copy(...under("scripts/deploy", /\.sh$/)));
  }
  if (name === "lattice-agent") add(copy(...under("infra/systemd", /^lattice-agent\.\w+$/)));
  const places = await walk(PROGRAM);
  for (const shell of SHELLS) {
    const text = name === "lattice" ? completionScript(shell, places, GLOBAL_FLAGS) : flagCompletions(name, shell);
    files.set(`completions/${name}.${shell}`, { text });
  }
  for (const { file, text } of await manPages(name)) files.set(`man/${file}`, { text });
  return files;
}

/** Returns the names of all tarballs of a release. */
export const tarballNames = (architectures = ARCHITECTURES): readonly string[] =>
  architectures.flatMap(({ name: machine }) => Object.keys(BINARIES).map((name) => `${name}-${machine}.tar.gz`));
