/** From the configuration to the audit log: the key that signs it, and where its archives are. */
import type { ServerConfig } from "../config/server-config.ts";
import { openAuditSigner } from "../io/audit/ed25519-signer.ts";
import { openWorkerAuditFiles } from "../io/audit/worker-audit-files.ts";
import type { AuditFiles } from "../ports/audit-files.ts";
import type { AuditSigner } from "../ports/audit-signer.ts";
import type { Logger } from "../ports/log.ts";
import { placesOf } from "./server-backups.ts";

/** Returns what signs this server's entries. @throws INVALID_CONFIG when the key cannot be used. */
export function signerOf({ audit }: ServerConfig, log: Logger): AuditSigner {
  const seed = audit.key?.reveal();
  const signer = openAuditSigner({ path: audit.keyPath, ...(seed !== undefined && { seed }) }, log);
  log.info("audit entries are signed", { publicKey: signer.publicKey });
  return signer;
}

/** Returns the archives of the audit log. */
export const auditFilesOf = (config: ServerConfig): AuditFiles =>
  openWorkerAuditFiles(new URL("./workers/backup-worker.ts", import.meta.url).href, {
    ...placesOf(config),
    location: config.audit.location,
  });
