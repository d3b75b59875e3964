/** f8: how little is lost when it has to make room: 1 / (1 + minutes to write a checkpoint). */

/** How work can be told to save its state. */
export type CheckpointWay = "auto" | "manual" | "none";

/** Minutes that a checkpoint is taken to need. */
const MINUTES: Readonly<Record<CheckpointWay, number>> = { auto: 5, manual: 10, none: Number.POSITIVE_INFINITY };

/** Returns 1/6 for automatic checkpoints, 1/11 for those by hand, 0 where there are none. */
export const checkpointFactor = (way: CheckpointWay): number => 1 / (1 + MINUTES[way]);
