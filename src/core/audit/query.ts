/** Which entries a reader of the audit log wants, and may see. */
import type { Millis } from "../../base/brand.ts";
import type { AuditEntry } from "./entry.ts";

/** A filter; absent fields match all. */
export interface AuditFilter {
  /** Of what it was done to; of who did it, where that is of no tenant. */
  readonly tenant?: string;
  readonly user?: string;
  /** The whole name of an action, or its beginning up to a dot. */
  readonly action?: string;
  readonly allocation?: string;
  readonly node?: string;
  readonly since?: Millis;
  /** Not included. */
  readonly until?: Millis;
}

/** Returns the tenant whose administrators may see the entry. */
export const tenantOf = ({ body: { target, actor } }: AuditEntry): string | undefined => target.tenant ?? actor.tenant;

/** Returns whether the filter lets the entry through. */
export function matchesAudit(entry: AuditEntry, filter: AuditFilter): boolean {
  const { body } = entry;
  const { action } = filter;
  return (
    (filter.tenant === undefined || tenantOf(entry) === filter.tenant) &&
    (filter.user === undefined || body.actor.user === filter.user) &&
    (action === undefined || body.action === action || body.action.startsWith(`${action}.`)) &&
    (filter.allocation === undefined || body.target.allocation === filter.allocation) &&
    (filter.node === undefined || body.target.node === filter.node) &&
    (filter.since === undefined || body.at >= filter.since) &&
    (filter.until === undefined || body.at < filter.until)
  );
}
