/** The filter by state, which every face takes as one text. */
import { fault, LatticeError } from "../core/domain/errors.ts";
import { ALLOCATION_STATES, type AllocationState, isAllocationState } from "../core/domain/lifecycle.ts";

/** Reads a comma-separated list of allocation states. @throws INVALID_SPEC naming the one that is none. */
export function statesOf(text: string): readonly AllocationState[] {
  if (text === "") return [];
  return text.split(",").map((word) => {
    if (!isAllocationState(word))
      throw new LatticeError(
        fault("INVALID_SPEC", `${word} is no state of an allocation`, `give any of: ${ALLOCATION_STATES.join(", ")}`),
      );
    return word;
  });
}
