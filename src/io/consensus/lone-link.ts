/** The links of a server that nobody connects to: there are none. */
import type { PeerLink } from "../../ports/peer-link.ts";

/** Returns a link without peers. */
export const createLoneLink = (): PeerLink => ({
  start: async () => undefined,
  setPeers: () => undefined,
  send: () => undefined,
  close: async () => undefined,
});
