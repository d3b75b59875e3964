/** How much memory is attached by CXL, as the kernel lists the devices. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const DEVICES = "/sys/bus/cxl/devices";

/** Returns the bytes of all CXL memory devices; 0 where the kernel knows of none. */
export function detectCxlMemory(devices = DEVICES): number {
  return namesIn(devices)
    .filter((name) => /^mem\d+$/.test(name))
    .reduce((sum, name) => sum + sizeOf(join(devices, name, "ram/size")), 0);
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** The kernel writes it in hexadecimal with 0x before it. */
function sizeOf(file: string): number {
  try {
    return Number(readFileSync(file, "utf8").trim()) || 0;
  } catch {
    return 0;
  }
}
