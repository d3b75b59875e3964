/**
 * What every runtime promises of checkpoints, with real processes: who is asked, and how its
 * word is heard. Over control groups where this machine has them, and the process table alone.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { containmentsHere } from "../fixtures/containments.ts";
import { RuntimeBench } from "../fixtures/runtime-bench.ts";

const containments = await containmentsHere("ask");

describe.each(containments)("a runtime over %s", (_name, containment) => {
  let bench: RuntimeBench;

  beforeAll(async () => {
    bench = new RuntimeBench(containment);
    await bench.recover();
  });

  afterAll(() => bench.remove());

  test("work that takes SIGUSR1 is asked to save its state, and its word that it has is heard, once", async () => {
    const heard: string[] = [];
    const told = Promise.withResolvers<void>();
    const listener = {
      onAsking: () => void heard.push("asking"),
      onSaved: () => {
        heard.push("saved");
        told.resolve();
      },
    };
    const trap = `trap 'echo saved; : > "$LATTICE_CHECKPOINT_MARKER"' USR1`;
    const saving = await bench.start({
      program: { kind: "entrypoint", command: `${trap}; echo up; while true; do sleep 0.05; done` },
    });
    while ((await bench.read(saving, "stdout")) === "") await Bun.sleep(10);
    expect(await bench.runtime.checkpoint(saving, listener)).toBe(true);
    await told.promise;
    expect(await bench.read(saving, "stdout")).toBe("up\nsaved\n");
    const again = (await bench.open().recover(bench.listener)).find(({ key }) => key.allocation === saving.allocation);
    expect([again?.state, again?.isSaved]).toEqual(["running", true]);
    await bench.runtime.kill(saving);
    expect((await bench.exitOf(saving)).signal).toBe(9);
    expect(heard).toEqual(["asking", "saved"]);
  });

  test("to work that takes no SIGUSR1 none is sent: it would be its end", async () => {
    const heard: string[] = [];
    const listener = { onAsking: () => void heard.push("asking"), onSaved: () => void heard.push("saved") };
    const deaf = await bench.start({ program: { kind: "entrypoint", command: "echo up; sleep 600 & wait" } });
    while ((await bench.read(deaf, "stdout")) === "") await Bun.sleep(10);
    expect(await bench.runtime.checkpoint(deaf, listener)).toBe(false);
    await bench.runtime.kill(deaf);
    expect((await bench.exitOf(deaf)).signal).toBe(9);
    expect(heard).toEqual([]);
  });
});
