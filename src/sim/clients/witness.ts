/**
 * A client that plots send to one server at a moment of their choice: it writes to a
 * register of its own or reads it, once, and what it saw goes into the history.
 */
import { createTenant, getTenant, updateTenant } from "../../engine/server/operations/tenants.ts";
import type { SimNetwork } from "../network/network.ts";
import { SimProcess } from "../world/process.ts";
import type { Histories } from "./history.ts";
import type { RegisterInput } from "./models.ts";
import type { Request, ServerDoor } from "./rpc.ts";
import { callServer } from "./rpc.ts";
import type { WorkRegister } from "./work-register.ts";

/** What a witness works with. */
export interface WitnessParts {
  readonly network: SimNetwork;
  readonly histories: Histories;
  readonly work: WorkRegister;
}

/** Its register moves on after so many operations, so that each history stays short. */
const OPERATIONS_MAX = 25;

export class Witness {
  readonly process: SimProcess;
  readonly #parts: WitnessParts;
  #register = "";
  #exists = false;
  #operations = 0;
  #registers = 0;

  constructor(parts: WitnessParts) {
    this.#parts = parts;
    this.process = new SimProcess(parts.network.world, "w1");
    this.process.begin();
  }

  /** Writes a new value at this server; returns whether it was acknowledged. */
  async write(door: ServerDoor): Promise<boolean> {
    if (this.#registers === 0 || this.#operations >= OPERATIONS_MAX) this.#turnPage();
    const name = this.#register;
    const value = this.#parts.work.nextValue();
    const quota = { nodesMax: value };
    const isFirst = !this.#exists;
    const isDone = await this.#call(door, isFirst ? { op: "create", value } : { op: "write", value }, {
      operation: isFirst ? "tenant.create" : "tenant.update",
      idempotencyKey: `witness-${value}`,
      run: async (server, call) => {
        if (isFirst) await createTenant(server, call, { name, quota });
        else await updateTenant(server, call, { id: name, change: { quota } });
        return undefined;
      },
    });
    // One whose fate is unknown is begun anew under another name.
    if (isFirst && isDone) this.#exists = true;
    else if (isFirst) this.#operations = OPERATIONS_MAX;
    return isDone;
  }

  /** Reads the value at this server. */
  async read(door: ServerDoor): Promise<void> {
    if (!this.#exists) return;
    const name = this.#register;
    await this.#call(
      door,
      { op: "read" },
      {
        operation: "tenant.read",
        run: async (server, call) => (await getTenant(server, call, name)).quota.nodesMax,
      },
    );
  }

  async #call(door: ServerDoor, input: RegisterInput, request: Request<number | undefined>): Promise<boolean> {
    const { network, histories } = this.#parts;
    this.#operations += 1;
    const operation = histories.registers.call(this.process.name, this.#register, input);
    const answer = await callServer({ network, process: this.process }, door, request);
    if (answer.kind !== "value") return false;
    operation.answer(answer.value === undefined ? {} : { value: answer.value });
    network.world.log(
      this.process.name,
      input.op,
      `${this.#register} at ${door.name}: ${answer.value ?? (input.op === "read" ? "" : input.value)}`,
    );
    return true;
  }

  #turnPage(): void {
    this.#registers += 1;
    this.#register = `witnessed-${this.#registers}`;
    this.#exists = false;
    this.#operations = 0;
  }
}
