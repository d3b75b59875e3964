/**
 * A client: does one thing after another, at whichever server, and repeats what was not
 * answered under the same idempotency key, as our clients do. What it did and was told
 * goes into the histories; what it submitted into the register of work.
 */
import type { Prng } from "../../base/prng.ts";
import type { FaultReason } from "../../core/domain/errors.ts";
import { FAULTS } from "../../core/domain/errors.ts";
import { cancelAllocation } from "../../engine/server/operations/change-allocation.ts";
import { listAllocations } from "../../engine/server/operations/read-allocations.ts";
import type { AllocationDetail } from "../../engine/server/operations/results.ts";
import { submit } from "../../engine/server/operations/submit-allocation.ts";
import { createTenant, getTenant, updateTenant } from "../../engine/server/operations/tenants.ts";
import type { SimNetwork } from "../network/network.ts";
import { LASTS_MS } from "../nodes/sim-runtime.ts";
import type { Span } from "../world/chance.ts";
import { happens, pick, wholeWithin, within } from "../world/chance.ts";
import { SimProcess } from "../world/process.ts";
import type { Histories } from "./history.ts";
import type { Sight } from "./models.ts";
import type { Request, ServerDoor } from "./rpc.ts";
import { callServer } from "./rpc.ts";
import type { Submission, WorkRegister } from "./work-register.ts";

/** Some runs are busy, others give each operation time. */
const THINK_MAX_MS: readonly number[] = [40, 300];
const AGAIN_MS: Span = [50, 800];
/** How long work lasts, and that of eager clients, of whose operations so many are submissions. */
const WORK_MS: Span = [50, 2_000];
const EAGER_WORK_MS: Span = [10, 150];
const EAGER_RATE = 0.5;
/** Work on a tenant's register moves on to the next after so many operations, so that each history stays short. */
const REGISTER_OPERATIONS = 40;
/** Nobody has it: work that asks for it waits until it is cancelled. */
const UNOBTAINABLE = "unobtainable";

/** What a client is made from. */
export interface SimClientParts {
  readonly network: SimNetwork;
  readonly number: number;
  readonly doors: () => readonly ServerDoor[];
  readonly histories: Histories;
  readonly work: WorkRegister;
  /** It submits one short job after another, for which there is never room enough. */
  readonly isEager?: boolean;
}

/** The end of an operation: its value, or a refusal that no repeat would change; undefined when it was given up. */
type End<T> = { readonly value: T } | { readonly refused: FaultReason } | undefined;

export class SimClient {
  readonly process: SimProcess;
  readonly #parts: SimClientParts;
  readonly #random: Prng;
  readonly #thinkMs: Span;
  #isStopping = false;
  #isIdle = true;
  #sequence = 0;

  constructor(parts: SimClientParts) {
    this.#parts = parts;
    const { network, number } = parts;
    this.process = new SimProcess(network.world, `c${number}`);
    this.#random = network.world.random(`client ${number}`);
    this.#thinkMs = [5, pick(this.#random, THINK_MAX_MS) ?? 0];
  }

  /** Whether nothing of it is under way. */
  get isIdle(): boolean {
    return this.#isIdle;
  }

  start(): void {
    this.process.begin();
    void this.#live();
  }

  /** Begins nothing new. */
  stop(): void {
    this.#isStopping = true;
  }

  /** Reads everything once more, so that nothing stale or lost goes unseen. */
  async lookAtAll(): Promise<void> {
    this.#isIdle = false;
    for (const submission of this.#parts.work.submissions) await this.#look(submission);
    for (const register of this.#parts.work.registers) await this.#read(register);
    this.#isIdle = true;
  }

  async #live(): Promise<void> {
    this.#isIdle = false;
    while (!this.#isStopping) {
      await this.#wait(this.#thinkMs);
      await this.#act();
    }
    this.#isIdle = true;
  }

  #act(): Promise<void> {
    const { work } = this.#parts;
    const known = pick(this.#random, work.recent);
    const roll = this.#random();
    if (this.#parts.isEager === true && happens(this.#random, EAGER_RATE)) return this.#submit(false);
    if (roll < 0.1) return this.#submit(true);
    if (roll < 0.2) return this.#submit(false);
    if (roll < 0.3 && known?.id !== undefined) return this.#cancel(known, known.id);
    if (roll < 0.4 && known !== undefined) return this.#look(known);
    return this.#useRegister();
  }

  async #submit(isParked: boolean): Promise<void> {
    const { histories, work, network } = this.#parts;
    const name = `${this.process.name}-${++this.#sequence}`;
    const submission = work.add({ name, isParked });
    const operation = histories.allocations.call(this.process.name, name, { op: "submit", isParked });
    const request = {
      name,
      tenant: happens(this.#random, 0.5) ? work.smallTenant : "default",
      argv: ["true"],
      nodesMin: wholeWithin(this.#random, [1, 2]),
      preemptionClass: wholeWithin(this.#random, [0, 10]),
      env: { [LASTS_MS]: String(wholeWithin(this.#random, this.#parts.isEager === true ? EAGER_WORK_MS : WORK_MS)) },
      ...(isParked && { features: [UNOBTAINABLE] }),
    };
    const end = await this.#until({
      operation: "allocation.submit",
      idempotencyKey: name,
      run: (server, call) => submit(server, call, { kind: "single", request }),
    });
    if (end === undefined) return;
    network.world.log(this.process.name, "submitted", `${name} ${"refused" in end ? end.refused : "ok"}`);
    if ("refused" in end) {
      // Refused before it was stored: as if it had never been asked for.
      submission.isRefused = true;
      return;
    }
    submission.id = end.value.allocations[0]?.id;
    submission.isAcknowledged = true;
    operation.answer({});
  }

  async #cancel(submission: Submission, id: string): Promise<void> {
    const { isParked, name } = submission;
    const operation = this.#parts.histories.allocations.call(this.process.name, name, { op: "cancel", isParked });
    const end = await this.#until({
      operation: "allocation.cancel",
      idempotencyKey: `cancel-${name}-${this.process.name}-${++this.#sequence}`,
      run: (server, call) => cancelAllocation(server, call, id),
    });
    if (end === undefined) return;
    if ("value" in end) submission.isCancelled = true;
    operation.answer("refused" in end ? { refused: end.refused } : {});
  }

  async #look({ name, isParked }: Submission): Promise<void> {
    const operation = this.#parts.histories.allocations.call(this.process.name, name, { op: "look", isParked });
    const end = await this.#until({
      operation: "allocation.read",
      run: (server, call) => listAllocations(server, call, { filter: { name }, page: { limit: 10, cursor: "" } }),
    });
    if (end !== undefined && "value" in end) operation.answer({ sight: sightOf(end.value.items) });
  }

  async #useRegister(): Promise<void> {
    const { work, histories } = this.#parts;
    const register = work.register(REGISTER_OPERATIONS);
    const roll = this.#random();
    if (roll < 0.6) return this.#read(register);
    const isFirst = register.operations <= 2;
    const value = work.nextValue();
    const quota = { nodesMax: value };
    const input = { op: isFirst ? "create" : "write", value } as const;
    const operation = histories.registers.call(this.process.name, register.name, input);
    const end = await this.#until({
      operation: isFirst ? "tenant.create" : "tenant.update",
      idempotencyKey: `register-${value}`,
      run: (server, call) =>
        isFirst
          ? createTenant(server, call, { name: register.name, quota })
          : updateTenant(server, call, { id: register.name, change: { quota } }),
    });
    if (end !== undefined) operation.answer("refused" in end ? { refused: end.refused } : {});
  }

  async #read({ name }: { readonly name: string }): Promise<void> {
    const operation = this.#parts.histories.registers.call(this.process.name, name, { op: "read" });
    const end = await this.#until({
      operation: "tenant.read",
      run: (server, call) => getTenant(server, call, name),
    });
    if (end === undefined) return;
    operation.answer("refused" in end ? { refused: end.refused } : { value: end.value.quota.nodesMax });
  }

  /** Repeats a request until it is answered; a read is a new read each time, which the history allows. */
  async #until<T>(request: Request<T>): Promise<End<T>> {
    for (let attempt = 0; attempt < 12 || this.#isStopping; attempt++) {
      const door = pick(this.#random, this.#parts.doors());
      if (door !== undefined) {
        const answer = await callServer({ network: this.#parts.network, process: this.process }, door, request);
        if (answer.kind === "value") return { value: answer.value };
        if (
          answer.kind === "fault" &&
          FAULTS[answer.fault.reason].retry === "never" &&
          !isOwnFailure(answer.fault.reason)
        )
          return { refused: answer.fault.reason };
      }
      await this.#wait(AGAIN_MS);
    }
    return undefined;
  }

  #wait(span: Span): Promise<void> {
    return new Promise((resolve) => this.process.clock.after(within(this.#random, span), resolve));
  }
}

/** A server that fails says nothing about the request. */
const isOwnFailure = (reason: FaultReason): boolean => reason === "INTERNAL" || reason === "CORRUPT_LOG";

function sightOf(found: readonly AllocationDetail[]): Sight {
  if (found.length > 1) return "several";
  const [only] = found;
  if (only?.kind !== "allocation") return "absent";
  const { state } = only.allocation;
  return state === "completed" || state === "failed" || state === "cancelled" ? "over" : "open";
}
