/** Shows which servers may be linked with a member: by cluster, by membership, by data directory. */
import { describe, expect, test } from "bun:test";
import { logIndex } from "../../../../src/base/brand.ts";
import type { AdmissionView, Introduction } from "../../../../src/core/raft/admission.ts";
import { judgePeer } from "../../../../src/core/raft/admission.ts";

const member = (id: number, storeId: string) => ({ id, address: `m${id}:9000`, storeId, isVoter: true });
const view = (changes: Partial<AdmissionView> = {}): AdmissionView => ({
  self: { clusterId: "c", memberId: 1, storeId: "s1" },
  memberships: [{ members: [member(1, "s1"), member(2, "s2"), member(3, "")], departed: [4] }],
  newestAt: logIndex(9),
  knownStores: new Map(),
  meetsStrangers: false,
  ...changes,
});
const peer = (memberId: number, storeId: string, changes: Partial<Introduction> = {}): Introduction => ({
  clusterId: "c",
  memberId,
  storeId,
  ...changes,
});

describe("a server that introduces itself", () => {
  test("is admitted with the data directory that is known, and refused with another", () => {
    expect(judgePeer(view(), peer(2, "s2")).kind).toBe("admit");
    expect(judgePeer(view(), peer(2, "empty")).kind).toBe("refuse");
    const met = view({ knownStores: new Map([[3, "s3"]]) });
    expect(judgePeer(met, peer(3, "s3")).kind).toBe("admit");
    expect(judgePeer(met, peer(3, "empty")).kind).toBe("refuse");
  });

  test("is refused when it belongs to another cluster, or to none of the members", () => {
    expect(judgePeer(view(), peer(2, "s2", { clusterId: "other" })).kind).toBe("refuse");
    expect(judgePeer(view(), peer(4, "s4")).kind).toBe("refuse");
    expect(judgePeer(view(), peer(5, "s5")).kind).toBe("refuse");
  });

  test("with a data directory that nobody knows is admitted only by who may meet strangers, and remembered", () => {
    expect(judgePeer(view(), peer(3, "s3")).kind).toBe("refuse");
    const verdict = judgePeer(view({ meetsStrangers: true }), peer(3, "s3"));
    expect(verdict).toEqual({ kind: "admit", adopts: false, remembers: true });
  });

  test("is admitted when its log names it in a later membership than any known here: this member lags", () => {
    for (const id of [2, 4, 5]) {
      expect(judgePeer(view(), peer(id, "new", { boundAt: logIndex(10) })).kind).toBe("admit");
      expect(judgePeer(view(), peer(id, "new", { boundAt: logIndex(9) })).kind).toBe("refuse");
    }
  });
});
