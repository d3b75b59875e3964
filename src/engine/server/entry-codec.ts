/** The bytes of a command in the log, with the tag by which its proposer knows it again. */
import type { Command } from "../../core/state/commands.ts";

/** A command as it stands in the log. */
export interface TaggedCommand {
  /** Proposer and its running number: unique over all servers and restarts. */
  readonly tag: string;
  readonly command: Command;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Writes a command as the bytes of an entry. */
export const encodeEntry = (entry: TaggedCommand): Uint8Array => encoder.encode(JSON.stringify(entry));

/** Reads what `encodeEntry` wrote; the log's checksums vouch for the bytes. */
export const decodeEntry = (data: Uint8Array): TaggedCommand => JSON.parse(decoder.decode(data));
