/**
 * The conformance fingerprint of this machine: a hash of what makes two nodes behave alike
 * (processor and its microcode, firmware, kernel, GPU driver, fabric driver), so that nodes
 * of one make have equal ones and a changed driver shows.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { arch } from "node:os";
import { join } from "node:path";

const FILES = [
  "/proc/sys/kernel/osrelease",
  "/proc/driver/nvidia/version",
  "/sys/module/amdgpu/version",
  "/sys/module/cxi_ss1/version",
  "/sys/class/dmi/id/bios_version",
  "/sys/class/dmi/id/product_name",
];
const PROCESSOR_LINES = /^(?:model name|microcode|CPU implementer|CPU part|CPU revision)\s*:.*$/gm;
const LENGTH = 16;

/** Returns the first 16 hexadecimal digits of the hash. `root` is where the files are looked for. */
export function detectMake(root = "/"): string {
  const hash = createHash("sha256").update(arch());
  const lines = new Set(textOf(join(root, "proc/cpuinfo")).match(PROCESSOR_LINES) ?? []);
  for (const line of [...lines].toSorted()) hash.update(`\n${line}`);
  for (const file of FILES) hash.update(`\n${file}\n${textOf(join(root, file)).trim()}`);
  return hash.digest("hex").slice(0, LENGTH);
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
