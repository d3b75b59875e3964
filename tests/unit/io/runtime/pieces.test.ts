/** The pure pieces of the process runtime: quoting, exits, patterns, the process table's text. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { nodeId } from "../../../../src/core/domain/ids.ts";
import { limitsOf } from "../../../../src/io/cgroup/scope.ts";
import { parseAccount } from "../../../../src/io/runtime/process/account.ts";
import { parseExit } from "../../../../src/io/runtime/process/exit-record.ts";
import { quote, shebangOf } from "../../../../src/io/runtime/process/launch-script.ts";
import { expandOutputPattern } from "../../../../src/io/runtime/process/output-pattern.ts";
import { maskHas, parseProcessId, parseStat } from "../../../../src/io/runtime/process/process-table.ts";

describe("quote", () => {
  test("gives one shell word that stands for the very text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const word = quote(text);
        // What a POSIX shell makes of single-quoted runs joined by escaped quotes.
        expect(word.slice(1, -1).replaceAll("'\\''", "'")).toBe(text);
        expect(word.slice(1, -1).replaceAll("'\\''", "")).not.toContain("'");
      }),
    );
  });
});

describe("shebangOf", () => {
  test.each([
    ["#!/bin/sh\n", ["/bin/sh", ""]],
    ["#! /bin/bash -l \nx", ["/bin/bash", "-l"]],
    ["#!/usr/bin/env -S python3 -u\n", ["/usr/bin/env", "-S python3 -u"]],
    ["#!/bin/sh", ["/bin/sh", ""]],
  ])("reads %j as the kernel does", (script, expected) => {
    expect(shebangOf(script)).toEqual(expected as unknown as readonly [string, string]);
  });
});

describe("parseExit", () => {
  const read = (status: string, verdict = "", launchError = "") => parseExit({ status, verdict, launchError });

  test("a code is a code, also above 128, unless the shell saw a signal", () => {
    expect(read("0\n")).toEqual({ exitCode: 0, cause: "exited" });
    expect(read("137\n")).toEqual({ exitCode: 137, cause: "exited" });
    expect(read("137\n", "Killed\n")).toEqual({ signal: 9, cause: "exited" });
    expect(read("130\n")).toEqual({ signal: 2, cause: "exited" });
    expect(read("255\n", "noise")).toEqual({ exitCode: 255, cause: "exited" });
  });

  test("125 with a reason of the launch script is a failure to start, without one it is a code", () => {
    expect(read("125\n", "", "no such directory\n")).toEqual({ cause: "start_failed", detail: "no such directory" });
    expect(read("125\n")).toEqual({ exitCode: 125, cause: "exited" });
  });

  test("what is no number is no exit", () => expect(read("\n")).toBeUndefined());
});

test("output patterns: numbers can be padded, unknown patterns stay", () => {
  const names = { job: "7", name: "n", array: "40", task: "3", node: "c1", user: "u" };
  const expand = (path: string) => expandOutputPattern(path, names);
  expect(expand("%x-%j_%A-%a@%N.%u")).toBe("n-7_40-3@c1.u");
  expect(expand("%5j %05a %3x %%j %q %")).toBe("00007 00003 n %j %q %");
});

test("a process whose name holds parentheses and spaces is read right", () => {
  const fields = ["S", 5, 6, 7, ...Array.from({ length: 15 }, () => 0), 4242, 0].join(" ");
  expect(parseStat(`12 (a) (b) c) ${fields}`)).toEqual({
    pid: 12,
    parent: 5,
    session: 7,
    startTime: 4242,
    isZombie: false,
  });
  expect(parseStat("")).toBeUndefined();
});

test("a claim counts only when it is complete", () => {
  expect(parseProcessId("12 4242\n")).toEqual({ pid: 12, startTime: 4242 });
  expect(parseProcessId("12 42")).toBeUndefined();
  expect(parseProcessId("agent\n")).toBeUndefined();
});

test("a line of the account database is read, a broken one is not", () => {
  expect(parseAccount("ann:x:1000:100:Ann:/home/ann:/bin/bash")).toEqual({
    name: "ann",
    uid: 1000,
    gid: 100,
    home: "/home/ann",
    shell: "/bin/bash",
  });
  expect(parseAccount("+::::::")).toBeUndefined();
});

describe("limitsOf", () => {
  const parent = { path: "", controllers: [], pidsMax: 100 };
  const share = { nodeId: nodeId("n"), cpus: 2, memoryBytes: 1024, gpuMilli: 0, isExclusive: false };

  test("a share is bounded in memory, processes and processor time", () => {
    const limits = new Map(limitsOf({ ...parent, controllers: ["memory", "pids", "cpu"] }, share));
    expect(limits.get("memory.max")).toBe("1024");
    expect(limits.get("memory.swap.max")).toBe("0");
    expect(limits.get("memory.oom.group")).toBe("1");
    expect(limits.get("cpu.max")).toBe("200000 100000");
    expect(limits.get("pids.max")).toBe("100");
  });

  test("a whole node has all its processors, and a missing controller no file", () => {
    const whole = limitsOf({ ...parent, controllers: ["memory", "cpu"] }, { ...share, isExclusive: true });
    expect(whole.map(([file]) => file)).toEqual(["memory.oom.group", "memory.max", "memory.swap.max"]);
    expect(limitsOf(parent, share)).toEqual([]);
  });
});

describe("maskHas", () => {
  const status = (caught: string, blocked = "0000000000000000") =>
    `Name:\tsh\nSigBlk:\t${blocked}\nSigIgn:\t0000000000000200\nSigCgt:\t${caught}\n`;

  test.each([
    ["a handler", status("0000000000000200"), true],
    ["a block, to wait for it", status("0000000000000000", "0000000000000200"), true],
    ["handlers for all but it", status("fffffffffffffdff"), false],
    ["no handler, and to ignore it", status("0000000000000000"), false],
    ["nothing that can be read", "", false],
  ])("finds SIGUSR1 where a process has %s", (_what, text, expected) => {
    expect(maskHas(text, 10)).toBe(expected);
  });
});
