/** The backups of a fake server: there is no place for any, and none are asked for. */
import { fault, LatticeError } from "../core/domain/errors.ts";
import type { Backups } from "../ports/backups.ts";

const refuse = (): Promise<never> =>
  Promise.reject(new LatticeError(fault("NOT_SUPPORTED", "a fake server makes no backups")));

/** Refuses everything. */
export const NO_BACKUPS: Backups = {
  location: "",
  create: refuse,
  list: async () => [],
  verify: refuse,
  stage: refuse,
  remove: async () => {},
};
