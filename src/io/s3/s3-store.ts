/** The BlobStore port over a prefix of an S3 bucket. Only the backup Worker loads it, because the client is large. */
import { createReadStream, createWriteStream, statSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from "@aws-sdk/client-s3";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { BlobEntry, BlobStore } from "../../ports/blob-store.ts";

/** How the server reaches S3; what is absent comes from the AWS_* environment. */
export interface S3Options {
  readonly endpoint?: string;
  readonly region?: string;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
}

/** Returns the store over `s3://bucket/prefix`. */
export function openS3Store(location: string, options: S3Options): BlobStore {
  const { host: bucket, pathname } = new URL(location);
  const prefix = pathname.replace(/^\/+|\/+$/g, "");
  const place = { client: clientOf(options), bucket, location: location.replace(/\/+$/, "") };
  const keyOf = (name: string) => (prefix === "" ? name : `${prefix}/${name}`);
  return {
    location: place.location,
    list: () => attempt(place, () => listObjects(place, keyOf(""))),
    put: (name, source) => attempt(place, () => putObject(place, keyOf(name), source)),
    fetch: (name, scratch) => attempt(place, () => getObject(place, keyOf(name), join(scratch, name))),
    remove: (name) =>
      attempt(place, async () => {
        await place.client.send(new DeleteObjectCommand({ Bucket: bucket, Key: keyOf(name) }));
      }),
  };
}

interface Place {
  readonly client: S3Client;
  readonly bucket: string;
  readonly location: string;
}

function clientOf({ endpoint, region, accessKeyId, secretAccessKey }: S3Options): S3Client {
  return new S3Client({
    region: region ?? process.env.AWS_REGION ?? "us-east-1",
    // Servers other than AWS know neither trailing checksums nor buckets as host names.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
    ...(accessKeyId !== undefined &&
      secretAccessKey !== undefined && { credentials: { accessKeyId, secretAccessKey } }),
  });
}

async function listObjects({ client, bucket }: Place, prefix: string): Promise<readonly BlobEntry[]> {
  const entries: BlobEntry[] = [];
  for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: prefix, Delimiter: "/" })) {
    for (const { Key = "", Size = 0 } of page.Contents ?? []) {
      entries.push({ name: Key.slice(prefix.length), bytes: Size });
    }
  }
  return entries;
}

async function putObject({ client, bucket, location }: Place, key: string, source: string): Promise<void> {
  const at = { Bucket: bucket, Key: key };
  const isTaken = await client.send(new HeadObjectCommand(at)).then(
    () => true,
    (error: unknown) => {
      if (statusOf(error) === 404) return false;
      throw error;
    },
  );
  if (isTaken) throw new LatticeError(fault("ALREADY_EXISTS", `${location} holds ${key} already`));
  const body = { Body: createReadStream(source), ContentLength: statSync(source).size };
  await client.send(new PutObjectCommand({ ...at, ...body }));
}

async function getObject({ client, bucket, location }: Place, key: string, target: string): Promise<string> {
  try {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    if (!(Body instanceof Readable)) throw new Error("the answer has no body");
    await pipeline(Body, createWriteStream(target, { mode: 0o640 }));
    return target;
  } catch (error) {
    if (nameOf(error) !== "NoSuchKey") throw error;
    throw new LatticeError(fault("BACKUP_NOT_FOUND", `there is no ${key} in ${location}`));
  }
}

const CAUSES: Readonly<Record<string, string>> = {
  InvalidAccessKeyId: "the access key is unknown there",
  SignatureDoesNotMatch: "the secret key is wrong",
  AccessDenied: "the key gives no right to it",
  NoSuchBucket: "there is no such bucket",
  CredentialsProviderError: "no key is configured: backup.s3_access_key_id or AWS_ACCESS_KEY_ID",
};

async function attempt<T>({ location }: Place, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof LatticeError) throw error;
    const text = error instanceof Error && error.message !== "" ? error.message : nameOf(error);
    // An answer to HEAD has no body that could name the cause.
    const cause =
      CAUSES[nameOf(error)] ?? (statusOf(error) === 403 ? "the key is wrong or gives no right to it" : text);
    throw new LatticeError(fault("BACKUP_FAILED", `cannot use ${location}: ${cause}`), { cause: error });
  }
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : String(error));

function statusOf(error: unknown): number | undefined {
  const metadata = typeof error === "object" && error !== null && "$metadata" in error ? error.$metadata : undefined;
  return (metadata as { readonly httpStatusCode?: number } | undefined)?.httpStatusCode;
}
