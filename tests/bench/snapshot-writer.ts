/** A Worker for long-history.ts: writes a snapshot of the state in a folder to a file, as the one that sends it does. */
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { snapshotChunks } from "../../src/io/snapshot/snapshot-chunks.ts";
import { openMirrorCut } from "../../src/io/sqlite/mirror-cut.ts";

/** What it is asked for, once. */
export interface SnapshotOfFolder {
  readonly dir: string;
  readonly path: string;
}

addEventListener("message", ({ data: { dir, path } }: MessageEvent<SnapshotOfFolder>) => {
  const cut = openMirrorCut(dir);
  const file = openSync(path, "w");
  let bytes = 0;
  for (const chunk of snapshotChunks(cut)) bytes += writeSync(file, chunk);
  fsyncSync(file);
  closeSync(file);
  cut.close();
  postMessage({ meta: cut.applied, bytes });
});
