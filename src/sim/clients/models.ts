/**
 * What clients may see, as sequential objects: a register (the quota of a tenant of its
 * own) and an allocation, by its name.
 */
import type { FaultReason } from "../../core/domain/errors.ts";
import type { SequentialModel } from "../checkers/linearizability.ts";

/** An operation on a register, and its answer. */
export type RegisterInput =
  | { readonly op: "create"; readonly value: number }
  | { readonly op: "write"; readonly value: number }
  | { readonly op: "read" };
export type RegisterOutput = { readonly value?: number; readonly refused?: FaultReason };

/** A register; undefined before it was created. */
export const REGISTER: SequentialModel<{ readonly value: number | undefined }, RegisterInput, RegisterOutput> = {
  initial: { value: undefined },
  encode: ({ value }) => String(value),
  step(state, input, output) {
    const exists = state.value !== undefined;
    switch (input.op) {
      case "create":
        if (output?.refused === "ALREADY_EXISTS") return exists ? state : undefined;
        if (exists) return output === undefined ? state : undefined;
        return { value: input.value };
      case "write":
        if (output?.refused === "TENANT_NOT_FOUND") return exists ? undefined : state;
        if (exists) return { value: input.value };
        return output === undefined ? state : undefined;
      case "read":
        if (output === undefined) return state;
        if (output.refused === "TENANT_NOT_FOUND") return exists ? undefined : state;
        return output.value === state.value ? state : undefined;
    }
  },
};

/** How an allocation looks from outside. */
export type Sight = "absent" | "open" | "over" | "several";

/** An operation on an allocation, and its answer. Parked work never runs: only a cancel ends it. */
export interface AllocationInput {
  readonly op: "submit" | "cancel" | "look";
  readonly isParked: boolean;
}
export type AllocationOutput = { readonly sight?: Sight; readonly refused?: FaultReason };

/** An allocation: absent, then open, then over. Work that can run may end at any moment. */
export const ALLOCATION: SequentialModel<{ readonly sight: Sight }, AllocationInput, AllocationOutput> = {
  initial: { sight: "absent" },
  encode: ({ sight }) => sight,
  step({ sight }, { op, isParked }, output) {
    switch (op) {
      case "submit":
        if (sight === "absent") return { sight: "open" };
        return output === undefined ? { sight } : undefined;
      case "cancel":
        if (sight === "absent") return output === undefined ? { sight } : undefined;
        if (output?.refused === "ILLEGAL_TRANSITION")
          return isParked && sight === "open" ? undefined : { sight: "over" };
        return isParked ? { sight: "over" } : { sight };
      case "look":
        if (output === undefined || output.sight === sight) return { sight };
        return output.sight === "over" && sight === "open" && !isParked ? { sight: "over" } : undefined;
    }
  },
};
