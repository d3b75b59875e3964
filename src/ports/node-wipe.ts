/** Erases what sensitive work may have left on a node: memory of devices, scratch space, caches. */
export interface NodeWipe {
  /** Resolves once the node is clean. @throws LatticeError saying what is not. */
  run(): Promise<void>;
}
