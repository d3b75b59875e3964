/**
 * Where whole files are kept under flat names: a folder, or a prefix of an S3 bucket.
 * Every failure is a LatticeError that says what to check.
 */

/** One stored file. */
export interface BlobEntry {
  readonly name: string;
  readonly bytes: number;
}

export interface BlobStore {
  /** What people call the place: the folder's path or the URL. */
  readonly location: string;
  /** Returns the files, in no meaningful order. A place that does not exist yet holds none. */
  list(): Promise<readonly BlobEntry[]>;
  /** Stores the local file `source` under `name`: whole or not at all. @throws ALREADY_EXISTS. */
  put(name: string, source: string): Promise<void>;
  /** Returns the path of a local file with the content; `scratch` is a folder for it where one is needed. @throws BACKUP_NOT_FOUND. */
  fetch(name: string, scratch: string): Promise<string>;
  /** Removes a file; one that is gone already is no error. */
  remove(name: string): Promise<void>;
}
