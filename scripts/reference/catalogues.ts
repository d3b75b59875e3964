/** docs/reference/{errors,reasons,access,metrics}.md, each from its table in src. */
import type { Auditing } from "../../src/core/access/audited.ts";
import { AUDITED } from "../../src/core/access/audited.ts";
import { ACCESS, AGENT_OPERATIONS } from "../../src/core/access/operations.ts";
import { FAULTS } from "../../src/core/domain/errors.ts";
import { REASONS } from "../../src/core/domain/reason.ts";
import { METRICS, type MetricSpec } from "../../src/ports/metrics.ts";
import { code, generatedFrom, table } from "./markdown.ts";

/** Returns docs/reference/errors.md. */
export function renderErrorReference(): string {
  const rows = Object.entries(FAULTS).map(([reason, s]) => [
    code(reason),
    code(s.rpc),
    String(s.http),
    String(s.exit),
    s.retry,
    s.next,
  ]);
  return page("src/core/domain/errors.ts", "Errors", [
    "Every error that a caller can cause. REST answers `application/problem+json` with `error`, `code` (the reason), `next`\nand `request_id`; gRPC and Connect carry the code below; the CLI leaves with the exit code.",
    table(["reason", "gRPC and Connect", "REST", "exit", "clients retry", "what to do"], rows),
  ]);
}

/** Returns docs/reference/reasons.md. */
export function renderReasonReference(): string {
  const rows = Object.entries(REASONS).map(([reason, meaning]) => [code(reason), meaning]);
  return page("src/core/domain/reason.ts", "Why an allocation waits", [
    "`lattice explain` and the status of a pending allocation list all its reasons.",
    table(["reason", "meaning"], rows),
  ]);
}

/** Returns docs/reference/access.md. */
export function renderAccessReference(): string {
  const roles = ["User", "ReadOnly", "Operator", "TenantAdmin", "ClaimingUser"] as const;
  const audited: Readonly<Record<string, Auditing>> = AUDITED;
  const rows = Object.entries(ACCESS).map(([operation, row]) => [
    code(operation),
    ...roles.map((role) => row[role]),
    audited[operation] ?? "never",
  ]);
  return page("src/core/access/operations.ts", "Who may do what", [
    "How far each role's right reaches: `own` is the caller's own object, `tenant` any object of the tenant that the\ntoken names. SystemAdmin may do everything. A node's own credential may do " +
      `${AGENT_OPERATIONS.map(code).join(" and ")} and nothing else.`,
    "The last column says what is in the audit log before it is done: `always`, or where the thing is sensitive or\nsomebody else's (`foreign`). What is denied is in it too. [Audit log](../operations/audit.md) says how to read it.",
    table(["operation", ...roles, "audited"], rows),
  ]);
}

/** Returns docs/reference/metrics.md. */
export function renderMetricReference(): string {
  const of = (program: "server" | "agent") =>
    table(
      ["metric", "kind", "labels", "meaning"],
      Object.entries<MetricSpec>(METRICS)
        .filter(([, spec]) => spec.of.includes(program))
        .map(([name, spec]) => [code(name), spec.kind, spec.labels.map(code).join(", "), spec.help]),
    );
  return page("src/ports/metrics.ts", "Metrics", [
    "What `/metrics` tells, in the OpenMetrics format. Times are in seconds and sizes in bytes.\n[Monitoring](../operations/metrics.md) says how to scrape it.",
    "## lattice-server",
    of("server"),
    "## lattice-agent",
    of("agent"),
  ]);
}

const page = (source: string, title: string, blocks: readonly string[]): string =>
  `${[generatedFrom(source), `# ${title}`, ...blocks].join("\n\n")}\n`;
