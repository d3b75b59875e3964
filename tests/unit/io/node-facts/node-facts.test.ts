/** Shows, on folders laid out as the kernel does, what an agent finds out about its machine by itself. */
import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { detectCxlMemory } from "../../../../src/io/node-facts/cxl-memory.ts";
import { detectMake } from "../../../../src/io/node-facts/make.ts";
import { TempDir } from "../../../fixtures/temp-dir.ts";

function put(root: string, file: string, text: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), text);
}

const CPU = "processor : 0\nmodel name\t: EPYC 9654\ncpu MHz : 2400.1\nmicrocode\t: 0xa1\n";

test("CXL memory is the sum of the memory devices, written in hexadecimal", () => {
  using folder = new TempDir();
  const root = folder.path;
  put(root, "mem0/ram/size", "0x4000000000\n");
  put(root, "mem1/ram/size", "0x1000\n");
  put(root, "root0/ram/size", "0x1000\n");
  put(root, "mem2/serial", "0x0\n");
  expect([detectCxlMemory(root), detectCxlMemory(join(root, "nowhere"))]).toEqual([0x4000001000, 0]);
});

test("nodes of one make have one fingerprint, whatever their clock and count of processors", () => {
  using folder = new TempDir();
  const [a, b] = [folder.join("a"), folder.join("b")];
  put(a, "proc/cpuinfo", CPU);
  put(b, "proc/cpuinfo", `${CPU}\n${CPU.replace("2400.1", "3100.0")}`);
  expect(detectMake(a)).toMatch(/^[0-9a-f]{16}$/);
  expect(detectMake(b)).toBe(detectMake(a));
});

test("another microcode, kernel or driver is another make", () => {
  const changes = [
    ["proc/cpuinfo", CPU.replace("0xa1", "0xa2")],
    ["proc/sys/kernel/osrelease", "6.12.1\n"],
    ["proc/driver/nvidia/version", "NVRM version: 580.1\n"],
  ] as const;
  using folder = new TempDir();
  const makes = changes.map(([file, text], i) => {
    const root = folder.join(String(i));
    put(root, "proc/cpuinfo", CPU);
    put(root, file, text);
    return detectMake(root);
  });
  const plain = folder.join("plain");
  put(plain, "proc/cpuinfo", CPU);
  expect(new Set([detectMake(plain), ...makes]).size).toBe(4);
});
