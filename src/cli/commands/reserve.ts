/** `lattice admin reserve create|list|delete`: nodes kept for somebody, or free of work, for a time. */

import { millis } from "../../base/brand.ts";
import type { ReservationResponse } from "../../client/messages.ts";
import { parseDuration } from "../../core/slurm/duration.ts";
import { parseMoment } from "../../core/slurm/moment.ts";
import { compressNodeList, expandNodeList } from "../../core/slurm/node-list.ts";
import { timestampFromProto, timestampToProto } from "../../wire/timestamp.ts";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../grammar/command.ts";
import type { Given } from "../grammar/given.ts";
import { UsageError } from "../grammar/usage-error.ts";
import { pageThrough } from "../page-through.ts";
import { printList, printOne } from "../render/print.ts";
import type { Column } from "../render/table.ts";
import { moment } from "../render/text.ts";

/** `lattice admin reserve create`. */
export const reserveCreate: Command = {
  kind: "command",
  name: "admin reserve create",
  summary: "Keep nodes for somebody, or free of work, for a time",
  positionals: [{ name: "name", description: "Name of the reservation", isRequired: true }],
  flags: {
    from: {
      type: "string",
      valueHint: "TIME",
      description: "Beginning, as 2026-12-24T08:00, 08:00 or now+2h; now unless set",
    },
    until: { type: "string", valueHint: "TIME", description: "End" },
    duration: { type: "string", valueHint: "TIME", description: "Length instead of an end, as 4h or 1-00:00:00" },
    nodes: {
      type: "string",
      valueHint: "NODES",
      description: "Nodes, as n[1-4]; all unless nodes or features are given",
    },
    features: { type: "string", valueHint: "LIST", description: "Nodes that have all of these features, with commas" },
    for: { type: "string", valueHint: "TENANT", description: "Tenant whose users may use them; nobody unless set" },
    users: { type: "string", valueHint: "LIST", description: "Users who may use them, with commas" },
    reason: { type: "string", valueHint: "TEXT", description: "Shown to those who wait for it" },
  },
  examples: [
    ["lattice admin reserve create cooling --from 2026-12-24T08:00 --duration 8h", "the whole machine is free of work"],
    ["lattice admin reserve create course --until 18:00 --nodes n[1-4] --for physics", "four nodes for one tenant"],
  ],
  run: async (given, context) => {
    const from = momentOf(given, "from", context.now()) ?? context.now();
    const request = {
      name: given.first() ?? "",
      startsAt: timestampToProto(millis(from)),
      endsAt: timestampToProto(millis(endOf(given, from, context.now()))),
      nodes: [...nodesOf(given)],
      features: listOf(given, "features"),
      tenantId: given.text("for") ?? "",
      users: listOf(given, "users"),
      reason: given.text("reason") ?? "",
    };
    const made = await context.client().admin.createReservation(request, { signal: context.signal });
    await printOne(context, made, { id: made.name, text: () => `Reserved: ${made.name}\n` });
    return EXIT.ok;
  },
};

/** `lattice admin reserve list`. */
export const reserveList: Command = {
  kind: "command",
  name: "admin reserve list",
  summary: "List reservations that are not over",
  run: async (_given, context) => {
    const { items } = await pageThrough(async (limit, cursor) => {
      const page = await context.client().admin.listReservations({ limit, cursor }, { signal: context.signal });
      return { items: page.reservations, nextCursor: page.nextCursor };
    });
    await printList(context, { rows: items, idOf: (r) => r.name, columns: COLUMNS, empty: "no reservations" });
    return EXIT.ok;
  },
};

/** `lattice admin reserve delete`. */
export const reserveDelete: Command = {
  kind: "command",
  name: "admin reserve delete",
  summary: "Give reserved nodes back",
  positionals: [{ name: "name", description: "The reservation", isRequired: true }],
  run: async (given, context) => {
    const name = given.first() ?? "";
    const answer = await context.client().admin.deleteReservation({ name }, { signal: context.signal });
    await printOne(context, answer, { id: name, text: () => `Deleted reservation: ${name}\n` });
    return EXIT.ok;
  },
};

const COLUMNS: readonly Column<ReservationResponse>[] = [
  { title: "NAME", value: (r) => r.name, least: 12 },
  { title: "FROM", value: (r) => moment(timestampFromProto(r.startsAt)) },
  { title: "UNTIL", value: (r) => moment(timestampFromProto(r.endsAt)) },
  { title: "NODES", value: nodesText },
  { title: "FOR", value: (r) => [r.tenantId, ...r.users].filter((who) => who !== "").join(",") || "nobody" },
  { title: "REASON", value: (r) => r.reason },
];

function nodesText({ nodes, features }: ReservationResponse): string {
  const parts = [compressNodeList(nodes), features.join("&")].filter((part) => part !== "");
  return parts.length === 0 ? "all" : parts.join(",");
}

function momentOf(given: Given, flag: string, now: number): number | undefined {
  const text = given.text(flag);
  if (text === undefined) return undefined;
  const parsed = parseMoment(text, { now: millis(now), zoneMs: -new Date(now).getTimezoneOffset() * 60_000 });
  if (!parsed.ok) throw new UsageError(`--${flag}: ${parsed.error.message}`, parsed.error.next);
  return parsed.value;
}

function endOf(given: Given, from: number, now: number): number {
  const until = momentOf(given, "until", now);
  const duration = given.text("duration");
  if ((until === undefined) === (duration === undefined)) throw new UsageError("give either --until or --duration");
  if (until !== undefined) return until;
  const parsed = parseDuration(duration ?? "");
  if (!parsed.ok) throw new UsageError(`--duration: ${parsed.error.message}`, parsed.error.next);
  return from + parsed.value;
}

function nodesOf(given: Given): readonly string[] {
  const parsed = expandNodeList(given.text("nodes") ?? "");
  if (!parsed.ok) throw new UsageError(`--nodes: ${parsed.error.message}`, parsed.error.next);
  return parsed.value;
}

const listOf = (given: Given, flag: string): string[] =>
  (given.text(flag) ?? "").split(",").filter((part) => part !== "");
