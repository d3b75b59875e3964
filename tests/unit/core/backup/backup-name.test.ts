/** Shows which requests name a backup, that none leads outside the location, and what retention removes. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { millis } from "../../../../src/base/brand.ts";
import { backupName, backupTime, nameInRequest, surplusBackups } from "../../../../src/core/backup/backup-name.ts";

const NAME = "backup-20260305T120000Z.tar.gz";

test("a name is the time of the backup, to the second, and back", () => {
  expect(backupName(millis(Date.UTC(2026, 2, 5, 12, 0, 0, 999)))).toBe(NAME);
  expect(backupTime(NAME)).toBe(millis(Date.UTC(2026, 2, 5, 12)));
  for (const odd of [
    "backup-20261305T120000Z.tar.gz",
    "backup-20260230T120000Z.tar.gz",
    `x${NAME}`,
    `${NAME}.sha256`,
  ]) {
    expect(backupTime(odd)).toBeUndefined();
  }
});

test("a backup is named by its file name, or with the location before it", () => {
  for (const location of ["/var/lib/lattice/backups", "/var/lib/lattice/backups/", "s3://bucket/prefix"]) {
    expect(nameInRequest(location, NAME)).toEqual({ ok: true, value: NAME });
    expect(nameInRequest(location, `${location.replace(/\/$/, "")}/${NAME}`)).toEqual({ ok: true, value: NAME });
  }
});

test("INV-B1: whatever is asked for, only a backup's own name comes out", () => {
  const parts = fc.constantFrom("..", ".", "/", "backups", "/etc/passwd", NAME, "s3://other/", "%2e", "\0");
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 6 }), (words) => {
      const named = nameInRequest("/srv/backups", words.join("/"));
      if (named.ok) expect(named.value).toBe(NAME);
    }),
  );
  const outside = nameInRequest("/srv/backups", `/srv/backups/../${NAME}`);
  expect(outside).toMatchObject({ ok: false, error: { reason: "INVALID_SPEC" } });
});

test("retention keeps the newest and touches nothing that is no backup", () => {
  const names = ["backup-20260301T000000Z.tar.gz", "notes.txt", NAME, "backup-20250301T000000Z.tar.gz"];
  expect(surplusBackups(names, 2)).toEqual(["backup-20250301T000000Z.tar.gz"]);
  expect(surplusBackups(names, 5)).toEqual([]);
});
