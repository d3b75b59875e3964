/** `rm-replay`: reads a trace, replays it by each policy, and says how they compare. */
import { basename, join } from "node:path";
import { millis } from "../../base/brand.ts";
import { createPrng } from "../../base/prng.ts";
import type { Policy, PreemptionPolicy } from "../../core/scheduler/policy.ts";
import { jobsCsv } from "../../replay/jobs-csv.ts";
import type { Machine } from "../../replay/machine.ts";
import { equalNodes } from "../../replay/machine.ts";
import type { Metrics } from "../../replay/metrics.ts";
import { metricsOf, metricsText } from "../../replay/metrics.ts";
import { arrivalsOnly } from "../../replay/openb.ts";
import type { PolicyName } from "../../replay/policies.ts";
import { isPolicyName, POLICIES, POLICY_NAMES } from "../../replay/policies.ts";
import { reportHtml } from "../../replay/report/report.ts";
import type { HourWindow, PolicySeries } from "../../replay/report/series.ts";
import { busiestDay, seriesOf } from "../../replay/report/series.ts";
import type { Estimate, Replay } from "../../replay/simulate.ts";
import { ESTIMATES, simulate } from "../../replay/simulate.ts";
import type { Trace } from "../../replay/trace.ts";
import type { Given } from "../grammar/given.ts";
import { UsageError } from "../grammar/usage-error.ts";
import type { Terminal } from "../terminal.ts";
import { FORMATS } from "./flags.ts";
import { readMachine, readTrace } from "./input.ts";
import { createProgress } from "./progress.ts";
import { summaryTable } from "./summary.ts";
import { readWeights } from "./weights.ts";

/** Replays as the command line says, writes the files and prints the comparison. */
export async function replayTrace(given: Given, terminal: Terminal): Promise<void> {
  const input = given.text("input");
  if (input === undefined) throw new UsageError("--input is missing", "write: rm-replay --input FILE");
  const coresPerNode = given.number("cores-per-node") ?? 1;
  const format = FORMATS.find((name) => name === given.text("format"));
  const read = await readTrace(input, { format, coresPerNode });
  const nodes = await machineOf(given, read, coresPerNode);
  const machine = { ...nodes, weights: await readWeights(given.text("weights")) };
  const trace = arrivalsOf(given, read, machine);
  const output = given.text("output");
  const metrics: Metrics[] = [];
  const series: PolicySeries[] = [];
  let window = windowOf(given);
  for (const name of policiesOf(given)) {
    const replayed = replayBy(name, given, { trace, machine });
    metrics.push(replayed.metrics);
    if (output === undefined) continue;
    window ??= busiestDay(replayed.replay);
    series.push(seriesOf(replayed.replay, machine, { name, window }));
    await Bun.write(join(output, `jobs-${name}.csv`), jobsCsv(replayed.replay));
  }
  if (output !== undefined && window !== undefined) {
    await Bun.write(join(output, "metrics.json"), metricsText(metrics));
    await Bun.write(
      join(output, "report.html"),
      reportHtml({ title: `Replay of ${basename(input)}`, metrics, series, window }),
    );
  }
  terminal.out(given.has("json") ? metricsText(metrics) : summaryTable(metrics, terminal.columns));
}

/** Of so many jobs the estimated start is taken down. */
const ESTIMATES_TAKEN = 100;

/** Whoever makes room begins anew: a trace does not say what could be saved. */
const PREEMPTION: PreemptionPolicy = { classDistance: 1, countMax: 10, checkpointMs: millis(0) };

function replayBy(
  name: PolicyName,
  given: Given,
  { trace, machine }: { readonly trace: Trace; readonly machine: Machine },
): { readonly replay: Replay; readonly metrics: Metrics } {
  const policy: Policy = {
    ...POLICIES[name],
    depth: given.number("depth") ?? POLICIES[name].depth,
    ...(given.has("preemption") && { preemption: PREEMPTION }),
  };
  const estimate: Estimate = ESTIMATES.find((known) => known === given.text("estimate")) ?? "trace";
  const progress = createProgress(name, trace.jobs.length);
  const isImpatient = given.text("arrivals") !== undefined;
  const draw = createPrng(given.number("seed") ?? 1);
  const options = { policy, estimate, draw, isImpatient, estimatesTaken: ESTIMATES_TAKEN, onProgress: progress.show };
  const replay = simulate(trace, machine, options);
  progress.end();
  const warmUp = given.number("warm-up") ?? 0;
  return { replay, metrics: metricsOf(replay, { name, policy, estimate, trace, machine, warmUp }) };
}

/** The flag's check has seen that both are numbers, the second the greater. */
function windowOf(given: Given): HourWindow | undefined {
  const [from, to] = given.text("window")?.split("-").map(Number) ?? [];
  return from === undefined || to === undefined ? undefined : { from, to };
}

function policiesOf(given: Given): readonly PolicyName[] {
  const names = given.text("policy")?.split(",").filter(isPolicyName) ?? POLICY_NAMES;
  return [...new Set(names)];
}

async function machineOf(given: Given, trace: Trace, coresPerNode: number): Promise<Machine> {
  const file = given.text("machine") ?? machineOfHistory(given);
  return file === undefined
    ? equalNodes(nodesOf(given, trace, coresPerNode), given.number("groups"))
    : await readMachine(file);
}

/** A history of Lattice's own says what it ran on. */
function machineOfHistory(given: Given): string | undefined {
  const input = given.text("input");
  return given.text("nodes") === undefined && /\.lattice(\.gz)?$/i.test(input ?? "") ? input : undefined;
}

function arrivalsOf(given: Given, trace: Trace, machine: Machine): Trace {
  const percent = given.number("arrivals");
  if (percent === undefined) return trace;
  if (!machine.nodes.some(({ capacity }) => capacity.gpuMilli > 0)) {
    throw new UsageError("--arrivals needs a machine with GPUs", "add: --machine FILE");
  }
  return arrivalsOnly(trace, machine, { load: percent / 100, draw: createPrng(given.number("seed") ?? 1) });
}

function nodesOf(given: Given, trace: Trace, coresPerNode: number): number {
  const asked = given.number("nodes");
  if (asked !== undefined) return asked;
  const { MaxNodes, MaxProcs } = trace.header;
  const said = Number(MaxProcs) > 0 ? Number(MaxProcs) / coresPerNode : Number(MaxNodes);
  if (said > 0) return Math.floor(said);
  throw new UsageError("the trace does not say how large its machine is", "add: --nodes N");
}
