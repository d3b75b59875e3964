/** The parts of the audit log in a server: put together, started and stopped as one. */
import type { AuditFiles } from "../../../ports/audit-files.ts";
import type { AuditSigner } from "../../../ports/audit-signer.ts";
import type { LoopParts } from "../loop-parts.ts";
import { AuditLoop } from "./audit-loop.ts";
import { Auditor } from "./auditor.ts";
import { Denials } from "./denials.ts";

/** What the audit log of a server is made from. */
export interface AuditParts {
  /** Names this process in the ids of its entries. */
  readonly process: string;
  readonly signer: AuditSigner;
  readonly auditFiles: AuditFiles;
}

/** Returns the parts that operations and faces use, and the loop to start and stop. */
export function openAudit(loop: LoopParts, { process, signer, auditFiles }: AuditParts) {
  const { replica, clock, log } = loop;
  const auditor = new Auditor({ process, replica, signer, clock });
  const denials = new Denials({ auditor, clock, log });
  const chores = new AuditLoop({ ...loop, auditor, auditFiles });
  return {
    parts: { auditor, denials, auditFiles },
    start: (): void => chores.start(),
    stop(): void {
      denials.stop();
      chores.stop();
    },
  };
}
