/** `lattice audit query|export|verify|archive|archives`, also under `admin`: who did what, and whether that is still what was written. */
import { millis } from "../../base/brand.ts";
import type { AuditArchive, AuditEntryProto, VerifyAuditResponse } from "../../client/messages.ts";
import { FAULTS } from "../../core/domain/errors.ts";
import { timestampFromProto, timestampToProto } from "../../wire/timestamp.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../grammar/command.ts";
import type { Flag } from "../grammar/flag.ts";
import type { Given } from "../grammar/given.ts";
import { wholeNumber } from "../grammar/parse.ts";
import { pageThrough } from "../page-through.ts";
import { printEvent, printList, printOne } from "../render/print.ts";
import { printable } from "../render/table.ts";
import { bytes, counted, moment } from "../render/text.ts";

/** A long chain takes a while to be verified, an archive to be written. */
const PATIENCE_MS = 300_000;

const longCall = ({ signal, settings }: Context) => ({ signal, timeoutMs: Math.max(PATIENCE_MS, settings.timeoutMs) });

const TIME_HINT = "TIME";
const checkTime = (value: string): string | undefined =>
  /^\d{4}-\d\d-\d\d/.test(value) && Number.isFinite(Date.parse(value))
    ? undefined
    : "must be a time as 2026-03-05T12:00:00Z or a day as 2026-03-05";

const FILTERS = {
  user: { type: "string", valueHint: "USER", description: "Only what this user did" },
  action: {
    type: "string",
    valueHint: "ACTION",
    description: "Only this action, as lattice.node.drain, or the beginning of it up to a dot, as lattice.node",
  },
  allocation: { type: "string", valueHint: "ID", description: "Only what was done to this allocation or array" },
  node: { type: "string", valueHint: "NODE", completes: "node", description: "Only what was done to this node" },
  since: { type: "string", valueHint: TIME_HINT, check: checkTime, description: "Not before this time" },
  until: { type: "string", valueHint: TIME_HINT, check: checkTime, description: "Before this time" },
} as const satisfies Readonly<Record<string, Flag>>;

const DEFAULT_ENTRIES = 100;

/** Where the commands stand. */
export type AuditParent = "audit" | "admin audit";

/** Returns `lattice audit query`. */
export const auditQuery = (parent: AuditParent): Command => ({
  kind: "command",
  name: `${parent} query`,
  summary: "Show who did what, newest first",
  details: ["Entries that have been archived are in the archives: see archives."],
  flags: {
    ...FILTERS,
    limit: {
      type: "string",
      valueHint: "N",
      check: wholeNumber(1),
      description: `At most so many entries; ${DEFAULT_ENTRIES} unless told otherwise`,
    },
  },
  examples: [[`lattice ${parent} query --action lattice.node --since 2026-03-05`, "what was done to nodes since then"]],
  run: async (given, context) => {
    const most = Number(given.text("limit") ?? DEFAULT_ENTRIES);
    const { items, isComplete } = await entries(given, context, most);
    await printList<AuditEntryProto>(context, {
      rows: items,
      idOf: (e) => String(e.sequence),
      columns: [
        { title: "NUMBER", value: (e) => String(e.sequence), isNumber: true },
        { title: "TIME", value: (e) => moment(e.timestamp && timestampFromProto(e.timestamp)) },
        { title: "USER", value: (e) => e.userId || "-" },
        { title: "ACTION", value: (e) => e.action.replace(/^lattice\./, "") },
        { title: "ON", value: (e) => printable(targetOf(e)), least: 12 },
        { title: "FROM", value: (e) => detailsOf(e).from || "-", dropRank: 2 },
        { title: "OUTCOME", value: (e) => outcomeOf(e), least: 8 },
      ],
      wide: [
        { title: "ROLE", value: (e) => detailsOf(e).actor.role ?? "-" },
        { title: "SERVER", value: (e) => String(detailsOf(e).server), isNumber: true },
        { title: "REQUEST", value: (e) => detailsOf(e).requestId || "-" },
        { title: "HASH", value: (e) => e.hash.slice(0, 16) },
      ],
      empty: "no entries",
    });
    if (!isComplete) context.terminal.err(`the newest ${items.length}; there are more: --limit\n`);
    return EXIT.ok;
  },
});

/** Returns `lattice audit export`. */
export const auditExport = (parent: AuditParent): Command => ({
  kind: "command",
  name: `${parent} export`,
  summary: "Print every entry with its signature, a line of JSON each, newest first",
  flags: FILTERS,
  examples: [[`lattice ${parent} export --since 2026-03-01 > march.jsonl`, "for another program or an auditor"]],
  run: async (given, context) => {
    const asJson = { ...context, settings: { ...context.settings, format: "json" as const } };
    const { items } = await entries(given, context, Number.POSITIVE_INFINITY);
    for (const entry of items) await printEvent(asJson, entry);
    return EXIT.ok;
  },
});

/** Returns `lattice audit verify`. */
export const auditVerify = (parent: AuditParent): Command => ({
  kind: "command",
  name: `${parent} verify`,
  summary: "Verify the whole chain: every hash, every signature, archives included",
  details: ["Compare the public keys with what each server says in its log when it starts."],
  run: async (_given, context) => {
    const verdict = await context.client().admin.verifyAudit({}, longCall(context));
    await printOne(context, verdict, { id: verdict.hash, text: () => verdictText(verdict) });
    return verdict.valid ? EXIT.ok : FAULTS.AUDIT_DAMAGED.exit;
  },
});

/** Returns `lattice audit archive`. */
export const auditArchive = (parent: AuditParent): Command => ({
  kind: "command",
  name: `${parent} archive`,
  summary: "Move old entries from the servers into files",
  details: ["The files are put where audit.location says; verify reads them there."],
  flags: {
    before: { type: "string", valueHint: TIME_HINT, check: checkTime, description: "Only entries older than this" },
  },
  examples: [[`lattice ${parent} archive --before 2026-01-01`, "everything of the years before"]],
  run: async (given, context) => {
    const before = given.text("before");
    const request = before === undefined ? {} : { before: timestampToProto(millis(Date.parse(before))) };
    const { archives, location } = await context.client().admin.archiveAudit(request, longCall(context));
    await printArchives(context, archives, location);
    return EXIT.ok;
  },
});

/** Returns `lattice audit archives`. */
export const auditArchives = (parent: AuditParent): Command => ({
  kind: "command",
  name: `${parent} archives`,
  summary: "List the archives of the audit log",
  run: async (_given, context) => {
    const { signal } = context;
    const { archives, location } = await context.client().admin.listAuditArchives({}, { signal });
    await printArchives(context, archives, location);
    return EXIT.ok;
  },
});

const printArchives = (context: Context, rows: readonly AuditArchive[], location: string): Promise<void> =>
  printList<AuditArchive>(context, {
    rows,
    idOf: (a) => a.name,
    columns: [
      { title: "FIRST", value: (a) => String(a.first), isNumber: true },
      { title: "LAST", value: (a) => String(a.last), isNumber: true },
      { title: "FROM", value: (a) => moment(a.firstTimestamp && timestampFromProto(a.firstTimestamp)) },
      { title: "TO", value: (a) => moment(a.lastTimestamp && timestampFromProto(a.lastTimestamp)) },
      { title: "SIZE", value: (a) => bytes(Number(a.sizeBytes)), isNumber: true },
      { title: "FILE", value: (a) => `${location}/${a.name}`, least: 30 },
    ],
    empty: "no archives",
  });

function entries(given: Given, context: Context, most: number) {
  const at = (flag: "since" | "until") => {
    const text = given.text(flag);
    return text === undefined ? {} : { [flag]: timestampToProto(millis(Date.parse(text))) };
  };
  const request = {
    tenantId: context.settings.tenant ?? "",
    userId: given.text("user") ?? "",
    action: given.text("action") ?? "",
    allocationId: given.text("allocation") ?? "",
    nodeId: given.text("node") ?? "",
    ...at("since"),
    ...at("until"),
  };
  return pageThrough<AuditEntryProto>(async (limit, cursor) => {
    const page = await context.client().admin.queryAudit({ ...request, limit, cursor }, longCall(context));
    return { items: page.entries, nextCursor: page.nextCursor };
  }, most);
}

/** The parts of the signed text that people see. */
interface Details {
  readonly actor: { readonly role?: string };
  readonly target: Readonly<Record<string, string>>;
  readonly from: string;
  readonly requestId: string;
  readonly server: number;
  readonly denied?: string;
  readonly count?: number;
}

const detailsOf = ({ details }: AuditEntryProto): Details => JSON.parse(details);

const targetOf = (entry: AuditEntryProto): string =>
  Object.entries(detailsOf(entry).target)
    .map(([kind, name]) => (kind === "name" ? name : `${kind} ${name}`))
    .join(", ") || "-";

function outcomeOf(entry: AuditEntryProto): string {
  const { denied, count } = detailsOf(entry);
  const times = count === undefined ? "" : ` (${count} more)`;
  return denied === undefined ? `${entry.outcome}${times}` : printable(`denied${times}: ${denied}`);
}

function verdictText(verdict: VerifyAuditResponse): string {
  const { entries: total, archived, heads, restores, keys, problems } = verdict;
  const facts = [
    counted(Number(total), "entry").replace(/entrys$/, "entries"),
    `${archived} of them archived`,
    counted(Number(heads), "signed head"),
    ...(restores > 0n ? [counted(Number(restores), "restore")] : []),
  ];
  const lines = [
    `${verdict.valid ? "Whole" : "DAMAGED"}: ${facts.join(", ")}; last hash ${verdict.hash}`,
    ...problems.map(({ text }) => `  ${printable(text)}`),
    ...keys.map(({ id, publicKey, memberId }) => `  key ${id} of server ${memberId}: ${publicKey}`),
  ];
  return `${lines.join("\n")}\n`;
}
