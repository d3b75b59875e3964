/**
 * `lattice admin diagnose`: one file with what somebody else needs to help. What goes in is
 * listed here field by field, so that nothing comes in by being added elsewhere: no token, no
 * environment, no command line and no output of work. What cannot be had is named in it, and
 * does not keep the rest: it is made when something is wrong.
 */
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { getJson } from "../../../client/get-json.ts";
import { getText } from "../../../client/get-text.ts";
import { type Message, messageToJson } from "../../../client/messages.ts";
import { COMMIT, VERSION } from "../../../config/version.ts";
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import { savedBearer } from "../../auth/bearer.ts";
import type { Context } from "../../context.ts";
import { EXIT } from "../../exit-codes.ts";
import type { Command } from "../../grammar/command.ts";
import { pageThrough } from "../../page-through.ts";
import { tarOf } from "./tar.ts";

/** Of each allocation that waits or runs. */
const OF_ALLOCATIONS = [
  ...["allocation_id", "short_id", "state", "user", "assigned_nodes", "created_at", "started_at", "reasons"],
  ...["attempt", "requeue_count", "version", "stopping", "stopping_since", "dag_id", "task_group_id"],
];
const ALLOCATIONS_MAX = 10_000;
const LIVE = "pending,staging,running,checkpointing,suspended";

/** One part of the bundle. */
interface Part {
  readonly file: string;
  readonly read: () => Promise<string>;
}

/** `lattice admin diagnose`. */
export const diagnose: Command = {
  kind: "command",
  name: "admin diagnose",
  summary: "Collect what somebody else needs to help",
  details: [
    "Writes one archive: versions, the quorum as each server sees it, nodes, vClusters, tenants, what waits or runs and why, metrics of each server. It holds no token, no secret, no environment, no command line and no output of work. What cannot be had is named in it.",
  ],
  flags: { out: { type: "string", valueHint: "FILE", completes: "file", description: "The archive to write" } },
  examples: [["lattice admin diagnose --out lattice-diagnose.tar.gz", "one file to send"]],
  run: async (given, context) => {
    const { terminal, directory, now } = context;
    const stamp = new Date(now()).toISOString().replace(/[-:]|\.\d+/g, "");
    const path = resolve(directory, given.text("out") ?? `lattice-diagnose-${stamp}.tar.gz`);
    const files = new Map([["versions.json", text({ tool: VERSION, commit: COMMIT, made: stamp })]]);
    const missing: string[] = [];
    await Promise.all(
      partsOf(context).map(async ({ file, read }) => {
        const content = await read().catch((error) => {
          if (!(error instanceof LatticeError)) throw error;
          missing.push(`${file}: ${error.fault.message}`);
        });
        if (content !== undefined) files.set(file, content);
      }),
    );
    if (missing.length > 0) files.set("missing.txt", `${missing.join("\n")}\n`);
    write(path, Bun.gzipSync(tarOf(new Map([...files].toSorted(([a], [b]) => (a < b ? -1 : 1))), now() / 1000)));
    for (const line of missing) terminal.err(`left out: ${line}\n`);
    terminal.out(context.settings.isQuiet ? `${path}\n` : `Wrote ${path}: ${files.size} files\n`);
    return EXIT.ok;
  },
};

function partsOf(context: Context): readonly Part[] {
  const { settings, signal } = context;
  const list = (message: Message): Promise<string> => Promise.resolve(text(messageToJson(message)));
  const { admin, nodes } = context.client();
  const shared: readonly Part[] = [
    { file: "nodes.json", read: async () => list(await nodes.listNodes({}, { signal })) },
    { file: "tenants.json", read: async () => list(await admin.listTenants({}, { signal })) },
    { file: "vclusters.json", read: async () => list(await admin.listVClusters({}, { signal })) },
    { file: "allocations.json", read: () => liveAllocations(context) },
  ];
  const ofServers = settings.endpoints.flatMap((endpoint, i): readonly Part[] => {
    const ask = { timeoutMs: settings.timeoutMs, tls: settings.tls, signal };
    const raft = async () => {
      const token = settings.token ?? (await savedBearer(settings.endpoints)());
      return text(await getJson({ ...ask, endpoints: [endpoint], token, path: "/api/v1/raft/status" }));
    };
    return [
      { file: `server-${i + 1}/raft-status.json`, read: raft },
      { file: `server-${i + 1}/metrics.txt`, read: () => getText(endpoint, { ...ask, path: "/metrics" }) },
    ];
  });
  return [...shared, ...ofServers];
}

async function liveAllocations(context: Context): Promise<string> {
  const { signal } = context;
  const { items, isComplete } = await pageThrough(async (limit, cursor) => {
    const page = await context.client().allocations.list({ state: LIVE, limit, cursor }, { signal });
    return { items: page.allocations, nextCursor: page.nextCursor };
  }, ALLOCATIONS_MAX);
  const rows = items.map((item) => {
    const all = Object.entries(messageToJson(item) ?? {});
    return Object.fromEntries(all.filter(([name]) => OF_ALLOCATIONS.includes(name)));
  });
  return text({ is_complete: isComplete, allocations: rows });
}

const text = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

function write(path: string, bytes: Uint8Array): void {
  try {
    writeFileSync(path, bytes, { mode: 0o600 });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LatticeError(fault("INVALID_FLAGS", `${path} cannot be written: ${why}`, "choose another --out"));
  }
}
