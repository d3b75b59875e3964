/**
 * Who belongs to the cluster: how a membership changes, how many make a majority, and how
 * it looks as bytes. Members change one at a time (thesis §4.1), so any two majorities of
 * consecutive memberships share a voter. All numbers are big-endian.
 *
 *   membership  memberCount:u16 { id:u64 isVoter:u8 address:text storeId:text } departedCount:u16 { id:u64 }
 *   text        length:u16, one byte a character (ASCII)
 */
import { logIndex } from "../../base/brand.ts";
import type { Result } from "../../base/result.ts";
import { err, ok } from "../../base/result.ts";
import type { Member, MemberId, Membership, MembershipAt, MembershipChange } from "./raft-types.ts";

/** A membership without anybody: that of a log that waits to be filled by a leader. */
export const NO_MEMBERS: Membership = { members: [], departed: [] };

/** The membership in force before any entry of a member that waits to join. */
export const UNJOINED: MembershipAt = { index: logIndex(0), membership: NO_MEMBERS };

/** Returns the membership of a cluster that begins with one voter. */
export const soleVoter = (member: Omit<Member, "isVoter">): Membership => ({
  members: [{ ...member, isVoter: true }],
  departed: [],
});

/** Returns the member with this id. */
export const findMember = ({ members }: Membership, id: MemberId): Member | undefined =>
  members.find((member) => member.id === id);

/** Returns the ids of the voters, ascending. */
export const votersOf = ({ members }: Membership): readonly MemberId[] =>
  members.filter((m) => m.isVoter).map((m) => m.id);

/** Returns whether `id` is a voter. */
export const isVoter = (membership: Membership, id: MemberId): boolean => findMember(membership, id)?.isVoter === true;

/** Returns whether `id` alone votes. */
export function isSoleVoter(membership: Membership, id: MemberId): boolean {
  const voters = votersOf(membership);
  return voters.length === 1 && voters[0] === id;
}

/** Returns how many voters make a majority. */
export const majorityOf = (membership: Membership): number => Math.floor(votersOf(membership).length / 2) + 1;

/** Returns the membership after `change`, or why it cannot be made. */
export function changeMembership(now: Membership, change: MembershipChange): Result<Membership, string> {
  const { id } = change;
  const member = findMember(now, id);
  const others = now.members.filter((m) => m.id !== id);
  const put = (next: Member): Membership => ({
    members: [...others, next].toSorted((a, b) => a.id - b.id),
    departed: now.departed.filter((d) => d !== id),
  });
  switch (change.kind) {
    case "add-learner":
      if (member) return err(`member ${id} belongs to the cluster already`);
      return ok(put({ id, address: change.address, storeId: change.storeId, isVoter: false }));
    case "promote":
      if (!member) return err(`there is no member ${id}`);
      return member.isVoter ? err(`member ${id} is a voter already`) : ok(put({ ...member, isVoter: true }));
    case "bind":
      if (!member) return err(`there is no member ${id}`);
      if (member.storeId === change.storeId) return err(`member ${id} is bound already`);
      if (member.storeId !== "") return err(`member ${id} has another data directory`);
      return ok(put({ ...member, storeId: change.storeId }));
    case "move":
      if (!member) return err(`there is no member ${id}`);
      if (member.address === change.address) return err(`member ${id} is known to be there`);
      return ok(put({ ...member, address: change.address }));
    case "remove":
      if (!member) return err(`there is no member ${id}`);
      if (member.isVoter && votersOf(now).length === 1) return err(`member ${id} is the only voter`);
      return ok({ members: others, departed: [...now.departed, id].toSorted((a, b) => a - b) });
  }
}

/** Returns the bytes of a membership. */
export function encodeMembership({ members, departed }: Membership): Uint8Array {
  const bytes: number[] = [];
  const number = (value: number, size: number): void => {
    const digits: number[] = [];
    for (let i = 0, rest = value; i < size; i++, rest = Math.floor(rest / 256)) digits.push(rest % 256);
    bytes.push(...digits.reverse());
  };
  const text = (value: string): void => {
    number(value.length, 2);
    for (let i = 0; i < value.length; i++) bytes.push(value.charCodeAt(i) & 0xff);
  };
  number(members.length, 2);
  for (const member of members) {
    number(member.id, 8);
    number(member.isVoter ? 1 : 0, 1);
    text(member.address);
    text(member.storeId);
  }
  number(departed.length, 2);
  for (const id of departed) number(id, 8);
  return new Uint8Array(bytes);
}

/** Reads what encodeMembership wrote; the bytes have been checked by their record. */
export function decodeMembership(bytes: Uint8Array): Membership {
  let at = 0;
  const number = (size: number): number => {
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + (bytes[at++] ?? 0);
    return value;
  };
  const text = (): string => {
    const length = number(2);
    at += length;
    return String.fromCharCode(...bytes.subarray(at - length, at));
  };
  const members = Array.from({ length: number(2) }, (): Member => {
    const id = number(8);
    const isVoting = number(1) === 1;
    return { id, isVoter: isVoting, address: text(), storeId: text() };
  });
  return { members, departed: Array.from({ length: number(2) }, () => number(8)) };
}
