/**
 * What `plan` knows of the nodes during one pass: nodes that no request can tell apart
 * form a class, and each class keeps what is free in the order in which it is taken. So
 * an allocation costs a look at the classes, not at every node. Made afresh for each
 * pass, changed by `takeNode` alone.
 */
import { assert } from "../../base/assert.ts";
import { compareNumber, compareText } from "../../base/compare.ts";
import type { VClusterId } from "../domain/ids.ts";
import type { NodeState } from "../domain/lifecycle.ts";
import { isSchedulable } from "../domain/lifecycle.ts";
import type { NodeReservation } from "../domain/nodes/node-reservation.ts";
import type { Amount, Claim, NodeCapacity } from "../domain/resources.ts";
import { fits, subtractAmounts, takeGpus, withoutGpus } from "../domain/resources.ts";
import type { ClusterView, NodeView } from "../domain/view.ts";
import { closedKey, reservationsByNode } from "./sharing/reserved-nodes.ts";

/** What is left of a node. */
export type Room = Pick<OpenNode, "free" | "gpuFree">;

/** Returns whether `need` fits into what is left. */
export const hasRoom = ({ free, gpuFree }: Room, need: Amount): boolean =>
  fits(need, free) && (need.gpuMilli === 0 || takeGpus(gpuFree, need.gpuMilli) !== undefined);

/** A schedulable node. */
export interface OpenNode {
  readonly view: NodeView;
  readonly members: NodeClass;
  /** Its place among all nodes by id. */
  readonly order: number;
  /** What this pass has left of it. */
  free: Amount;
  /** And of each of its GPUs. */
  gpuFree: readonly number[];
  /** When the last claim on it ends; known once `availabilityOf` has looked, and then for shared nodes only. */
  idleFrom: number;
}

/** Nodes with the same capacity, features, dedication and reservations. */
export interface NodeClass {
  readonly capacity: NodeCapacity;
  readonly features: ReadonlySet<string>;
  readonly dedicatedTo: VClusterId | undefined;
  /** Of administrators. */
  readonly reservations: readonly NodeReservation[];
  total: number;
  /** Of the total, those that may be given work; busy ones count. */
  ready: number;
  /** Why the others may not: their state or `disabled`, with how many. */
  readonly unavailable: Map<NodeState | "disabled", number>;
  /** Without claims when the pass began, by order; those before `idleHead` have been taken. */
  idle: OpenNode[];
  idleHead: number;
  /** With shared claims and processors left: the fullest first, then by order. */
  shared: OpenNode[];
  /** What the shared ones had left when the pass began. */
  sharedAtStart: readonly Room[];
}

export interface NodeIndex {
  /** In the order of their first node. */
  readonly classes: readonly NodeClass[];
  /** The classes of schedulable nodes by the node's place in the view. */
  readonly classAt: readonly (NodeClass | undefined)[];
  /** Whether any class is dedicated to a vCluster. */
  readonly hasDedicated: boolean;
  /** Nodes with shares, also full ones, by their place in the view. */
  readonly sharedAt: ReadonlyMap<number, OpenNode>;
  /** How many nodes have no claim, or shares and processors left. */
  openCount: number;
  /** Grows with each node taken: what was found out at one version holds at that version. */
  version: number;
}

/** Returns the index of the view's nodes, whatever the order in which the view lists them. */
export function indexNodes(view: ClusterView): NodeIndex {
  const classes = new Map<string, NodeClass>();
  const classAt: (NodeClass | undefined)[] = [];
  const sharedAt = new Map<number, OpenNode>();
  const nodes = inOrder(view.nodes);
  const reservationsOf = reservationsByNode(view);
  let members: NodeClass | undefined;
  for (let order = 0; order < nodes.length; order++) {
    const node = nodes[order];
    assert(node, "a node is missing from the view");
    const dedicatedTo = view.dedicatedTo(node.id);
    const reservations = reservationsOf(node);
    const isAlike = members?.capacity === node.capacity && members.dedicatedTo === dedicatedTo;
    if (!members || !isAlike || members.reservations !== reservations) {
      members = classOf(classes, node.capacity, { dedicatedTo, reservations });
    }
    members.total++;
    if (!isSchedulable(node.state) || node.isDisabled) {
      const cause = node.isDisabled ? "disabled" : node.state;
      members.unavailable.set(cause, (members.unavailable.get(cause) ?? 0) + 1);
      continue;
    }
    members.ready++;
    const place = nodes === view.nodes ? order : (view.placeOf(node.id) ?? order);
    classAt[place] = members;
    if (node.hasExclusiveClaim || node.heldFor !== undefined) continue;
    const { free, gpuFree } = node;
    const open: OpenNode = { view: node, members, order, free, gpuFree, idleFrom: Number.NEGATIVE_INFINITY };
    if (node.claimCount > 0) sharedAt.set(place, open);
    openList(members, node)?.push(open);
  }
  const all = [...classes.values()];
  const hasDedicated = all.some(({ dedicatedTo }) => dedicatedTo !== undefined);
  let openCount = 0;
  for (const members of all) {
    startShared(members);
    openCount += members.idle.length + members.shared.length;
  }
  return { classes: all, hasDedicated, classAt, sharedAt, openCount, version: 0 };
}

/** Returns whether anything at all can be placed on the node. */
export const isOpen = ({ state, isDisabled, claimCount, hasExclusiveClaim, free, heldFor }: NodeView): boolean =>
  (claimCount === 0 || (!hasExclusiveClaim && free.cpus > 0)) &&
  heldFor === undefined &&
  isSchedulable(state) &&
  !isDisabled;

/** Returns how many nodes of the class have no claim. */
export const idleCount = (members: NodeClass): number => members.idle.length - members.idleHead;

/** Returns the place of the first shared node that has at least so many processors left. */
export const placeOfCpus = (members: NodeClass, cpus: number): number =>
  firstPlace(members.shared, (node) => node.free.cpus >= cpus);

/** Puts `claim` on a node of the class. */
export function takeNode(
  index: NodeIndex,
  members: NodeClass,
  { node, claim }: { readonly node: OpenNode; readonly claim: Claim },
): void {
  if (isIdle(node)) removeIdle(members, node);
  else removeShared(members, node);
  node.free = subtractAmounts(node.free, claim);
  if (!claim.isExclusive && claim.gpuMilli > 0) {
    node.gpuFree = withoutGpus(node.gpuFree, takeGpus(node.gpuFree, claim.gpuMilli) ?? []);
  }
  const isFull = claim.isExclusive || node.free.cpus <= 0;
  if (isFull) index.openCount--;
  else members.shared.splice(placeOf(members.shared, node), 0, node);
  index.version++;
}

/** A list keeps its ids, so one that was found in order is not looked through again. */
const IN_ORDER = new WeakMap<readonly NodeView[], number>();

function inOrder(nodes: readonly NodeView[]): readonly NodeView[] {
  if (IN_ORDER.get(nodes) === nodes.length) return nodes;
  for (let i = 1; i < nodes.length; i++) {
    const before = nodes[i - 1];
    const node = nodes[i];
    if (before && node && before.id > node.id) return nodes.toSorted((a, b) => compareText(a.id, b.id));
  }
  IN_ORDER.set(nodes, nodes.length);
  return nodes;
}

function classOf(
  classes: Map<string, NodeClass>,
  capacity: NodeCapacity,
  { dedicatedTo, reservations }: Pick<NodeClass, "dedicatedTo" | "reservations">,
): NodeClass {
  const kind = kindOf(capacity);
  const owned = dedicatedTo === undefined ? kind : `${kind}\n\n${dedicatedTo}`;
  const key = `${owned}${closedKey(reservations)}`;
  const known = classes.get(key);
  if (known) return known;
  const members: NodeClass = {
    capacity,
    features: new Set(capacity.features),
    dedicatedTo,
    reservations,
    total: 0,
    ready: 0,
    unavailable: new Map(),
    idle: [],
    idleHead: 0,
    shared: [],
    sharedAtStart: [],
  };
  classes.set(key, members);
  return members;
}

/** Capacities are never changed, so the text of each is made once for all passes. */
const KINDS = new WeakMap<NodeCapacity, string>();

function kindOf(capacity: NodeCapacity): string {
  const known = KINDS.get(capacity);
  if (known !== undefined) return known;
  const { cpus, memoryBytes, gpuMilli, gpuType, features } = capacity;
  const { conformance = "", hasUnifiedMemory = false, cxlMemoryBytes = 0, powerWatts = 0 } = capacity;
  const memory = `${memoryBytes} ${hasUnifiedMemory} ${cxlMemoryBytes}`;
  const kind = `${cpus} ${memory} ${gpuMilli} ${gpuType} ${conformance} ${powerWatts}\n${features.join("\n")}`;
  KINDS.set(capacity, kind);
  return kind;
}

function openList(members: NodeClass, node: NodeView): OpenNode[] | undefined {
  if (node.claimCount === 0) return members.idle;
  return node.free.cpus <= 0 ? undefined : members.shared;
}

function startShared(members: NodeClass): void {
  members.shared.sort(compareShared);
  members.sharedAtStart = members.shared.map(({ free, gpuFree }) => ({ free, gpuFree }));
}

const compareShared = (a: OpenNode, b: OpenNode): number =>
  compareNumber(a.free.cpus, b.free.cpus) || compareNumber(a.order, b.order);

/** Whether nobody had a claim on the node when the pass began, and the pass has put none on it. */
const isIdle = ({ view, free }: OpenNode): boolean => view.claimCount === 0 && free === view.free;

/** Moves the node before those that are left, which keep their order. */
function removeIdle(members: NodeClass, node: OpenNode): void {
  const { idle, idleHead } = members;
  if (idle[idleHead] !== node) {
    const at = idle.indexOf(node, idleHead);
    assert(at > 0, `node ${node.view.id} is not idle`);
    idle.copyWithin(idleHead + 1, idleHead, at);
    idle[idleHead] = node;
  }
  members.idleHead++;
}

function removeShared(members: NodeClass, node: OpenNode): void {
  const at = placeOf(members.shared, node);
  assert(members.shared[at] === node, `node ${node.view.id} is not open`);
  members.shared.splice(at, 1);
}

/** Returns the place at which the node stands or would stand among the shared ones. */
const placeOf = (shared: readonly OpenNode[], node: OpenNode): number =>
  firstPlace(shared, (other) => compareShared(other, node) >= 0);

/** Returns the first place from which `holds` is true of every node; it must be false of all before. */
function firstPlace(shared: readonly OpenNode[], holds: (node: OpenNode) => boolean): number {
  let low = 0;
  let high = shared.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const node = shared[middle];
    assert(node, "the search left the list");
    if (holds(node)) high = middle;
    else low = middle + 1;
  }
  return low;
}
