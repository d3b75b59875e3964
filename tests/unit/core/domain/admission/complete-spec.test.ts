/** Shows that a request is completed with the documented defaults, or refused with the field that is wrong. */
import { describe, expect, test } from "bun:test";
import { canonicalEncode } from "../../../../../src/base/canonical-encode.ts";
import { completeSpec, mergeRequests } from "../../../../../src/core/domain/admission/complete-spec.ts";
import type { AllocationRequest } from "../../../../../src/core/domain/allocation-request.ts";
import { LIMITS } from "../../../../../src/core/domain/limits.ts";

const WORK = { tenant: "physics", entrypoint: "true" } as const;

const complete = (request: AllocationRequest) => {
  const spec = completeSpec(request);
  if (!spec.ok) throw new Error(spec.error.message);
  return spec.value;
};

const refusal = (request: AllocationRequest): string => {
  const spec = completeSpec(request);
  return spec.ok ? "accepted" : `${spec.error.reason}: ${spec.error.message}`;
};

const script = (text: string): AllocationRequest => ({ tenant: "physics", script: text });

describe("defaults", () => {
  test("a batch job has an hour, one whole node, and is requeued when its node is lost", () => {
    expect(complete(WORK)).toMatchObject({
      name: "true",
      vcluster: "default",
      lifecycle: "bounded",
      walltimeMs: 3_600_000,
      preemptionClass: 5,
      requeuePolicy: "on_node_failure",
      requeueMax: 3,
      isolation: "rerun",
      gracePeriodMs: 30_000,
      runOn: "every",
      resources: { nodesMin: 1, nodesMax: 1, perNode: { cpus: 0, memoryBytes: 0, gpuMilli: 0 } },
    });
  });

  test("a service has no limit and is always requeued", () => {
    expect(complete({ ...WORK, lifecycle: "unbounded" })).toMatchObject({ walltimeMs: 0, requeuePolicy: "always" });
  });

  test("sensitive work is not run twice", () => {
    expect(complete({ ...WORK, isSensitive: true }).isolation).toBe("stop");
  });

  test("a script runs on the first node, as a batch script does", () => {
    expect(complete(script("#!/bin/sh\ntrue\n")).runOn).toBe("first");
  });

  test("nodes and processors follow from tasks where they are not given", () => {
    const { resources } = complete({ ...WORK, tasks: 10, tasksPerNode: 4, cpusPerTask: 2 });
    expect(resources).toMatchObject({ nodesMin: 3, tasksPerNode: 4, perNode: { cpus: 8 } });
  });
});

test("explicit fields win over directives, and maps are joined", () => {
  const merged = mergeRequests(
    { name: "from-script", env: { A: "1", B: "1" }, nodesMin: 4 },
    { name: "explicit", env: { B: "2" } },
  );
  expect(merged).toMatchObject({ name: "explicit", nodesMin: 4, env: { A: "1", B: "2" } });
});

test("a spec has its fields in the order of its canonical text, which is then made in one go", () => {
  const services = { lifecycle: "reactive", reactive: { metric: "m", target: "1", nodesMin: 1, nodesMax: 2 } } as const;
  const resources = { allowsCxlMemory: true, needsConformance: true, needsUnifiedMemory: true, storageMbps: 1 };
  const programs = [{ entrypoint: "true" }, { script: "#!/bin/sh\n" }, { argv: ["true"] }];
  for (const program of programs) {
    for (const request of [{}, services, resources]) {
      const spec = complete({ tenant: "physics", ...program, ...request });
      expect(JSON.stringify(spec)).toBe(canonicalEncode(spec));
    }
  }
});

describe("refusals name what is wrong", () => {
  test.each<[string, AllocationRequest, string]>([
    ["no tenant", { entrypoint: "true" }, "INVALID_BODY: tenant is missing"],
    ["nothing to run", { tenant: "physics" }, "INVALID_BODY: nothing to run"],
    ["two programs", { ...WORK, argv: ["true"] }, "INVALID_SPEC: more than one program"],
    ["no shebang", script("echo hi\n"), "INVALID_SPEC: the script does not begin with #!"],
    ["DOS line ends", script("#!/bin/sh\r\necho hi\r\n"), "INVALID_SPEC: the script has DOS line ends"],
    ["NUL", script("#!/bin/sh\n\0"), "INVALID_SPEC: the script has a NUL character"],
    ["relative interpreter", script("#!bash\n"), "INVALID_SPEC: the script names the interpreter"],
    ["oversized script", script(`#!/bin/sh\n${"x".repeat(LIMITS.scriptBytesMax)}`), "TOO_LARGE: the script has"],
    ["class out of range", { ...WORK, preemptionClass: 11 }, "INVALID_SPEC: preemption_class is 11"],
    ["too many requeues", { ...WORK, requeueMax: 101 }, "INVALID_SPEC: max_requeue is 101"],
    ["no nodes", { ...WORK, nodesMin: 0 }, "INVALID_SPEC: nodes is 0"],
    ["fewer at most than at least", { ...WORK, nodesMin: 4, nodesMax: 2 }, "INVALID_SPEC: max_nodes 2"],
    ["half a node", { ...WORK, nodesMin: 1.5 }, "INVALID_SPEC: min_nodes is 1.5"],
    ["unknown lifecycle", { ...WORK, lifecycle: "eternal" }, 'INVALID_SPEC: lifecycle is "eternal"'],
    [
      "unknown condition",
      { ...WORK, dependsOn: [{ ref: "1", condition: "later" }] },
      "INVALID_SPEC: the dependency condition",
    ],
    ["relative folder", { ...WORK, workdir: "here" }, "INVALID_SPEC: workdir is here"],
    ["line break in a name", { ...WORK, name: "a\nb" }, "INVALID_SPEC: name has a line break"],
    ["impossible variable", { ...WORK, env: { "A=B": "1" } }, "INVALID_SPEC: env has a variable"],
    ["service without a metric", { ...WORK, lifecycle: "reactive" }, "INVALID_SPEC: reactive_metric is empty"],
    [
      "service without a number to aim at",
      { ...WORK, lifecycle: "reactive", reactive: { metric: "requests", target: "many" } },
      'INVALID_SPEC: reactive_target is "many"',
    ],
  ])("%s", (_, request, expected) => {
    expect(refusal(request)).toStartWith(expected);
  });
});
