/** Shows that output arrives as it was written: by stream, in order, each byte once, lines whole under their label. */
import { expect, test } from "bun:test";
import { createRouterTransport } from "@connectrpc/connect";
import type { Context } from "../../../src/cli/context.ts";
import { followOutput } from "../../../src/cli/output.ts";
import { clientOver } from "../../../src/client/client.ts";
import { AllocationService } from "../../../src/gen/lattice/v1/allocations_pb.ts";

type Piece = readonly [node: string, stream: 0 | 1, offset: number, text: string];

/** A context whose server sends `pieces`, and what it shows. */
function showing(pieces: readonly Piece[]) {
  const shown = { out: "", err: "" };
  const transport = createRouterTransport(({ service }) => {
    service(AllocationService, {
      get: () => ({ state: "completed" }),
      async *streamLogs() {
        for (const [nodeId, stream, offset, text] of pieces) {
          yield { nodeId, stream, attempt: 1, offset: BigInt(offset), data: new TextEncoder().encode(text) };
        }
      },
    });
  });
  const host = { now: () => 0, sleep: async () => {}, random: () => 0, uuid: () => "key" };
  const options = { endpoints: [], timeoutMs: 1_000 };
  const text = (data: string | Uint8Array) => (typeof data === "string" ? data : new TextDecoder().decode(data));
  const context: Context = {
    settings: { endpoints: [], format: "table", isQuiet: false, isStale: false, timeoutMs: 1_000 },
    terminal: {
      out: (data) => {
        shown.out += text(data);
      },
      err: (data) => {
        shown.err += text(data);
      },
      columns: undefined,
      hasColour: false,
      clear: () => {},
    },
    client: () => clientOver([{ endpoint: "x", transport }], options, host),
    signal: new AbortController().signal,
    now: () => 0,
    directory: "/",
  };
  return { context, shown };
}

const ALL = { id: "1", stream: 0, node: "", isFollowing: true, tailLines: 0, attempt: 0 } as const;

test("standard output and standard error keep apart", async () => {
  const { context, shown } = showing([
    ["n1", 0, 0, "a\nb"],
    ["n1", 1, 0, "oops\n"],
    ["n1", 0, 3, "c\n"],
  ]);
  await followOutput(context, ALL);
  expect(shown).toEqual({ out: "a\nbc\n", err: "oops\n" });
});

test("what was shown already is not shown again", async () => {
  const { context, shown } = showing([
    ["n1", 0, 0, "one\ntwo\n"],
    ["n1", 0, 0, "one\n"],
    ["n1", 0, 4, "two\nthree\n"],
  ]);
  await followOutput(context, ALL);
  expect(shown.out).toBe("one\ntwo\nthree\n");
});

test("a label stands before whole lines only, also when nodes speak at once", async () => {
  const { context, shown } = showing([
    ["n1", 0, 0, "a\nb"],
    ["n2", 0, 0, "x\ny"],
    ["n1", 0, 3, "c\n"],
  ]);
  await followOutput(context, ALL, true);
  expect(shown.out).toBe("n1: a\nn2: x\nn1: bc\nn2: y\n");
});
