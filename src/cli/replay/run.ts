/** `rm-replay`: reads a trace, replays it by each policy, and says how they compare. */
import { join } from "node:path";
import type { Policy } from "../../core/scheduler/policy.ts";
import { jobsCsv } from "../../replay/jobs-csv.ts";
import { equalNodes } from "../../replay/machine.ts";
import type { Metrics } from "../../replay/metrics.ts";
import { metricsOf, metricsText } from "../../replay/metrics.ts";
import type { PolicyName } from "../../replay/policies.ts";
import { isPolicyName, POLICIES, POLICY_NAMES } from "../../replay/policies.ts";
import type { Estimate } from "../../replay/simulate.ts";
import { ESTIMATES, simulate } from "../../replay/simulate.ts";
import type { Trace } from "../../replay/trace.ts";
import type { Given } from "../grammar/given.ts";
import { UsageError } from "../grammar/usage-error.ts";
import type { Terminal } from "../terminal.ts";
import { FORMATS } from "./flags.ts";
import { readTrace } from "./input.ts";
import { createProgress } from "./progress.ts";
import { summaryTable } from "./summary.ts";
import { readWeights } from "./weights.ts";

/** Replays as the command line says; returns the metrics of each policy, in the order given. */
export async function replayTrace(given: Given, terminal: Terminal): Promise<readonly Metrics[]> {
  const input = given.text("input");
  if (input === undefined) throw new UsageError("--input is missing", "write: rm-replay --input FILE");
  const coresPerNode = given.number("cores-per-node") ?? 1;
  const format = FORMATS.find((name) => name === given.text("format"));
  const trace = await readTrace(input, { format, coresPerNode });
  const nodes = equalNodes(nodesOf(given, trace, coresPerNode), given.number("groups"));
  const machine = { ...nodes, weights: await readWeights(given.text("weights")) };
  const estimate: Estimate = ESTIMATES.find((name) => name === given.text("estimate")) ?? "trace";
  const all: Metrics[] = [];
  for (const name of policiesOf(given)) {
    const policy: Policy = { ...POLICIES[name], depth: given.number("depth") ?? POLICIES[name].depth };
    const progress = createProgress(name, trace.jobs.length);
    const replay = simulate(trace, machine, { policy, estimate, onProgress: progress.show });
    progress.end();
    all.push(metricsOf(replay, { name, policy, estimate, trace, machine, warmUp: given.number("warm-up") ?? 0 }));
    const output = given.text("output");
    if (output !== undefined) await Bun.write(join(output, `jobs-${name}.csv`), jobsCsv(replay));
  }
  const output = given.text("output");
  if (output !== undefined) await Bun.write(join(output, "metrics.json"), metricsText(all));
  terminal.out(given.has("json") ? metricsText(all) : summaryTable(all, terminal.columns));
  return all;
}

function policiesOf(given: Given): readonly PolicyName[] {
  const names = given.text("policy")?.split(",").filter(isPolicyName) ?? POLICY_NAMES;
  return [...new Set(names)];
}

function nodesOf(given: Given, trace: Trace, coresPerNode: number): number {
  const asked = given.number("nodes");
  if (asked !== undefined) return asked;
  const { MaxNodes, MaxProcs } = trace.header;
  const said = Number(MaxProcs) > 0 ? Number(MaxProcs) / coresPerNode : Number(MaxNodes);
  if (said > 0) return Math.floor(said);
  throw new UsageError("the trace does not say how large its machine is", "add: --nodes N");
}
