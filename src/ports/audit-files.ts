/** Where archives of the audit log are kept, each a file under a name. Behind it is a folder or an S3 bucket. */

export interface AuditFiles {
  /** The folder or s3:// URL of the configuration. */
  readonly location: string;
  /** Stores a file; one that is there with the same text is no error. @throws ALREADY_EXISTS, BACKUP_FAILED. */
  put(name: string, text: string): Promise<void>;
  /** Returns a file, with the SHA-256 of its bytes. @throws BACKUP_NOT_FOUND, BACKUP_FAILED. */
  get(name: string): Promise<{ readonly text: string; readonly sha256: string }>;
}
