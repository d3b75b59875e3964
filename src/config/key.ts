/**
 * What the schema says of a key besides its type: one sentence of meaning, and how its
 * value is treated. The schema registers every key here; the loader, `config check` and
 * docs/reference/config.md read it back, so that each fact is written once.
 */
import { z } from "zod";

/** The facts about one key. */
export interface KeyFacts {
  /** One sentence, capital first. */
  readonly meaning: string;
  /** Never printed; also read from LATTICE_<SECTION>_<KEY>_FILE. */
  readonly isSecret?: boolean;
  /** What must be reachable when the key is set: a readable file, or a folder that exists or can be made. */
  readonly reach?: "file" | "folder";
  /** Environment variables that set it besides LATTICE_<SECTION>_<KEY>. */
  readonly aliases?: readonly string[];
  /** A value to show where there is no default. */
  readonly example?: string;
  /** The default in words, where the schema leaves it open. */
  readonly defaultInWords?: string;
}

/** The facts about every key of the schema. */
export const KEY_FACTS = z.registry<KeyFacts>();

/** Registers the facts about `schema` and returns it. */
export function key<T extends z.ZodType>(schema: T, meaning: string, facts: Omit<KeyFacts, "meaning"> = {}): T {
  KEY_FACTS.add(schema, { meaning, ...facts });
  return schema;
}

const ADDRESS = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.*_-]+):(\d{1,5})$/;

/** A host and a port. */
export const address = () =>
  z.string().refine((text) => Number(ADDRESS.exec(text)?.[1] ?? 65_536) <= 65_535, {
    error: "must be HOST:PORT, with a port from 0 to 65535",
  });

/** A host and a port that others can dial. */
export const reachableAddress = () =>
  address().refine((text) => !/^(0\.0\.0\.0|\[::\]|\*):|:0$/.test(text), {
    error: "must name a host and a port that others can dial",
  });

/** A URL with one of the schemes given. */
export const url = (...schemes: readonly string[]) =>
  z.string().refine((text) => URL.canParse(text) && schemes.includes(new URL(text).protocol.slice(0, -1)), {
    error: `must be a URL that begins with ${schemes.map((s) => `${s}://`).join(" or ")}`,
  });

/** A URL, or nothing: "" switches the thing off. */
export const urlOrEmpty = (...schemes: readonly string[]) => z.union([z.literal(""), url(...schemes)]);

/** A path that starts with "/" or is taken relative to the working directory. */
export const path = () =>
  z
    .string()
    .min(1)
    .refine((text) => !text.includes("\0"), { error: "must not hold a NUL" });

/** A folder, or a prefix of an S3 bucket. */
export const backupLocation = () =>
  path().refine((text) => !text.includes("://") || /^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[^?#]*)?$/.test(text), {
    error: "must be a folder or s3://BUCKET/PREFIX",
  });

/** A whole number of seconds. */
export const seconds = (most = 31_536_000) => z.int().min(1).max(most);

/** A whole number from `least` to `most`. */
export const count = (least: number, most: number) => z.int().min(least).max(most);

/** Which network a listener belongs to. */
export const network = () => z.enum(["hsn", "management", "any"]);
