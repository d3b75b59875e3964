/** Shows what questions between servers do when words are lost, damaged, late or from strangers. */
import { expect, test } from "bun:test";
import { fault, LatticeError } from "../../../../../src/core/domain/errors.ts";
import { list, number, record, text } from "../../../../../src/engine/server/peers/json-shape.ts";
import type { Question } from "../../../../../src/engine/server/peers/peer-bus.ts";
import { FakeServers } from "../../../../fixtures/fake-servers.ts";

const SUM: Question<readonly number[], { readonly sum: number }> = {
  kind: "sum",
  ask: list(number),
  answer: record<{ readonly sum: number }>({ sum: number }),
};
/** The same question by a server that knows it otherwise. */
const OTHER_SUM: Question<string, string> = { kind: "sum", ask: text, answer: text };

async function twoServers() {
  const world = new FakeServers();
  const [a, b] = [1, 2].map((id) => world.start(id));
  if (!a || !b) throw new Error("two servers were started");
  world.group.elect(2);
  b.server.bus.answer(SUM, (from, numbers) => {
    if (numbers.length === 0) throw new LatticeError(fault("INVALID_SPEC", `server ${from} gave no numbers`));
    return { sum: numbers.reduce((sum, n) => sum + n, 0) };
  });
  await world.clock.pass(10);
  world.warnings.length = 0;
  return { world, a, b };
}

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

test("a question is answered by the server that was asked, by the one that leads, and by the asker itself", async () => {
  const { a, b } = await twoServers();
  expect(await a.server.bus.ask(SUM, 2, [1, 2])).toEqual({ sum: 3 });
  expect(await a.server.bus.askLeader(SUM, [3])).toEqual({ sum: 3 });
  expect(await b.server.bus.askLeader(SUM, [4])).toEqual({ sum: 4 });
});

test("a refusal comes back as the fault that it is", async () => {
  const { a } = await twoServers();
  const refused = { fault: { reason: "INVALID_SPEC", message: "server 1 gave no numbers" } };
  await expect(a.server.bus.ask(SUM, 2, [])).rejects.toMatchObject(refused);
});

test("a question or an answer of another form is refused, not misread", async () => {
  const { a } = await twoServers();
  await expect(a.server.bus.ask(OTHER_SUM, 2, "x")).rejects.toMatchObject({ fault: { reason: "INVALID_BODY" } });
  const unknown = { ...SUM, kind: "product" };
  await expect(a.server.bus.ask(unknown, 2, [1])).rejects.toMatchObject({ fault: { reason: "NOT_SUPPORTED" } });
  const misread = { ...OTHER_SUM, ask: SUM.ask };
  await expect(a.server.bus.ask(misread, 2, [1])).rejects.toMatchObject({ fault: { reason: "INTERNAL" } });
});

test("a server that does not answer is given up in time, and a question without a leader at once", async () => {
  const { world, a, b } = await twoServers();
  b.consensus.isCut = true;
  const asked = a.server.bus.ask(SUM, 2, [1]);
  asked.catch(() => {});
  await world.clock.pass(2_100);
  await expect(asked).rejects.toMatchObject({ fault: { reason: "NO_QUORUM", message: "server 2 does not answer" } });
  world.group.elect(undefined);
  await expect(a.server.bus.askLeader(SUM, [1])).rejects.toMatchObject({ fault: { reason: "NO_QUORUM" } });
});

test("damaged words and words of strangers are dropped with a warning", async () => {
  const { world, a } = await twoServers();
  a.consensus.receive(2, new Uint8Array([0xff, 0xfe]));
  a.consensus.receive(2, bytes("text"));
  a.consensus.receive(2, bytes({ id: "one", kind: "sum", body: [] }));
  a.consensus.receive(9, bytes({ id: 1, kind: "sum", body: [] }));
  expect(world.warnings).toEqual(Array(4).fill("a word from another server was dropped"));
});

test("an answer counts only from the server that was asked, and once", async () => {
  const { world, a, b } = await twoServers();
  world.start(3);
  b.consensus.isCut = true;
  const asked = a.server.bus.ask(SUM, 2, [1]);
  for (let re = 0; re < 20; re++) a.consensus.receive(3, bytes({ re, body: { sum: 666 } }));
  for (let re = 0; re < 20; re++) a.consensus.receive(2, bytes({ re, body: { sum: 1 } }));
  for (let re = 0; re < 20; re++) a.consensus.receive(2, bytes({ re, body: { sum: 2 } }));
  expect(await asked).toEqual({ sum: 1 });
});
