/** One call of a client at a server, over the fake network: answered, refused, or nobody knows. */
import type { Operation } from "../../core/access/operations.ts";
import type { Fault } from "../../core/domain/errors.ts";
import { LatticeError } from "../../core/domain/errors.ts";
import { userId } from "../../core/domain/ids.ts";
import type { Call } from "../../engine/server/call.ts";
import { beginCall } from "../../engine/server/call.ts";
import type { Server } from "../../engine/server/server.ts";
import type { SimNetwork } from "../network/network.ts";
import { pathOf } from "../network/network.ts";
import type { SimProcess } from "../world/process.ts";

/** What came back. */
export type Answer<T> =
  | { readonly kind: "value"; readonly value: T }
  | { readonly kind: "fault"; readonly fault: Fault }
  | { readonly kind: "silence" };

/** Where clients find a server. */
export interface ServerDoor {
  readonly name: string;
  readonly process: SimProcess;
  /** The server of its present life, when it runs. */
  readonly running: Server | undefined;
}

/** What is called: the operation by its name in the access table, and its body. */
export interface Request<T> {
  readonly operation: Operation;
  readonly idempotencyKey?: string;
  /** Who asks; ada unless told otherwise. */
  readonly user?: string;
  readonly run: (server: Server, call: Call) => Promise<T>;
}

/** From where a call is made. */
export interface Caller {
  readonly network: SimNetwork;
  readonly process: SimProcess;
}

const PATIENCE_MS = 6_000;

/** Calls a server, once. */
export function callServer<T>(caller: Caller, door: ServerDoor, request: Request<T>): Promise<Answer<T>> {
  const { network, process } = caller;
  return new Promise((resolve) => {
    const cancel = process.clock.after(PATIENCE_MS, () => resolve({ kind: "silence" }));
    const answer = (value: Answer<T>): void => {
      const { life } = door.process;
      door.process.emit(() => {
        if (door.process.life !== life) return;
        network.travel(pathOf(door.name, process.name), () =>
          process.receive(() => {
            cancel();
            resolve(value);
          }),
        );
      });
    };
    network.travel(pathOf(process.name, door.name), () =>
      door.process.receive(() => {
        const { life } = door.process;
        void perform(door, request).then((value) => {
          if (door.process.life === life && door.process.isUp) answer(value);
        });
      }),
    );
  });
}

/** What a face of the server does: it waits until the call may begin, then runs the operation. */
async function perform<T>({ running }: ServerDoor, request: Request<T>): Promise<Answer<T>> {
  if (running === undefined) {
    return { kind: "fault", fault: { reason: "SERVER_UNREACHABLE", message: "the server is starting" } };
  }
  const call: Call = {
    principal: { user: userId(request.user ?? "ada"), role: "SystemAdmin" },
    requestId: "sim",
    signal: NEVER_GONE,
    ...(request.idempotencyKey !== undefined && { idempotencyKey: request.idempotencyKey }),
  };
  try {
    await beginCall(running.replica, call, request.operation);
    return { kind: "value", value: await request.run(running, call) };
  } catch (error) {
    if (error instanceof LatticeError) return { kind: "fault", fault: error.fault };
    throw error;
  }
}

const NEVER_GONE = new AbortController().signal;
