/** Shows that the pure SHA-256 gives what the system's gives, for texts of every length around a block and any characters. */
import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { sha256Hex } from "../../../src/base/sha256.ts";

const systems = (text: string): string => createHash("sha256").update(new TextEncoder().encode(text)).digest("hex");

test("texts of every length up to three blocks have the hash that the system gives", () => {
  for (let length = 0; length < 200; length++) {
    const text = "ab".repeat(length).slice(0, length);
    expect(sha256Hex(text)).toBe(systems(text));
  }
});

test("characters of one to four bytes, and halves of pairs, count as in UTF-8", () => {
  for (const text of ["é", "€", "𝄞", "a\ud834b", "\udd1e", "\u0000", "Zürich 𝄞 €".repeat(50)]) {
    expect(sha256Hex(text)).toBe(systems(text));
  }
});
