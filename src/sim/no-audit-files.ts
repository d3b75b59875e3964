/** The audit archives of a server in a fake world: it has none. */
import { fault, LatticeError } from "../core/domain/errors.ts";
import type { AuditFiles } from "../ports/audit-files.ts";

const none = (): Promise<never> =>
  Promise.reject(new LatticeError(fault("NOT_SUPPORTED", "there are no archives here")));

/** Refuses everything. */
export const NO_AUDIT_FILES: AuditFiles = { location: "nowhere", put: none, get: none };
