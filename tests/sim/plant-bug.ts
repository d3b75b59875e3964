/** Preloaded into a simulator: changes the one place that the environment names, as its module is loaded. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { plugin } from "bun";
import { PLANTED_BUG, PLANTED_BUGS } from "./planted-bugs.ts";

const bug = PLANTED_BUGS.find(({ name }) => name === process.env[PLANTED_BUG]);
if (bug === undefined) throw new Error(`there is no bug ${process.env[PLANTED_BUG]}`);
const path = join(import.meta.dir, "../../src", bug.file);
const text = readFileSync(path, "utf8");
if (text.split(bug.find).length !== 2) throw new Error(`${bug.file} has not exactly one place for: ${bug.name}`);

plugin({
  name: "planted bug",
  setup(build) {
    const filter = new RegExp(`/${bug.file.replaceAll(".", "\\.")}$`);
    build.onLoad({ filter }, () => ({ contents: text.replace(bug.find, () => bug.replace), loader: "ts" }));
  },
});
