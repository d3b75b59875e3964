/** An agent's stream over the fake network: dials the servers one after another until one takes it in. */
import type { Prng } from "../../base/prng.ts";
import type { AgentLink, AgentLinkListener, AgentMessage, ServerMessage } from "../../ports/agent-link.ts";
import type { SimNetwork } from "../network/network.ts";
import { pathOf } from "../network/network.ts";
import type { StreamEnd } from "../network/stream.ts";
import { SimStream } from "../network/stream.ts";
import type { Span } from "../world/chance.ts";
import { pick, within } from "../world/chance.ts";
import type { SimProcess } from "../world/process.ts";

const RETRY_MS: Span = [100, 1_000];
/** A server that does not take the agent in is given up. */
const WELCOME_MS = 5_000;

/** Where agents find a server. */
export interface AgentDoor {
  readonly name: string;
  readonly process: SimProcess;
  /** Takes in the stream of an agent. */
  accept(stream: SimStream<AgentMessage, ServerMessage>, hello: ReturnType<AgentLinkListener["hello"]>): void;
}

/** What a link is made from. */
export interface AgentLinkParts {
  readonly network: SimNetwork;
  readonly process: SimProcess;
  /** The servers that are up, as far as a resolver can tell. */
  readonly doors: () => readonly AgentDoor[];
}

export class SimAgentLink implements AgentLink {
  readonly #parts: AgentLinkParts;
  readonly #random: Prng;
  #listener: AgentLinkListener | undefined;
  #end: StreamEnd<AgentMessage> | undefined;
  #isClosed = false;

  constructor(parts: AgentLinkParts) {
    this.#parts = parts;
    const { process, network } = parts;
    this.#random = network.world.random(`link of ${process.name}/${process.life}`);
  }

  start(listener: AgentLinkListener): void {
    this.#listener = listener;
    this.#dialLater();
  }

  send(message: AgentMessage): void {
    this.#end?.send(message);
  }

  async sendLogs(): Promise<void> {}

  close(): void {
    this.#isClosed = true;
    this.#end?.close("the agent stops");
    this.#end = undefined;
  }

  #dialLater(): void {
    this.#parts.process.clock.after(within(this.#random, RETRY_MS), () => {
      if (!this.#isClosed) this.#dial();
    });
  }

  #dial(): void {
    const { network, process, doors } = this.#parts;
    const door = pick(this.#random, doors());
    const listener = this.#listener;
    if (door === undefined || listener === undefined) {
      this.#dialLater();
      return;
    }
    const stream = new SimStream<AgentMessage, ServerMessage>(
      network,
      { caller: process, called: door.process },
      this.#random,
    );
    let isWelcome = false;
    const end = stream.asCaller({
      onMessage: (message) => {
        isWelcome ||= message.kind === "welcome";
        listener.onMessage(message);
      },
      onClosed: (reason) => {
        if (this.#end === end) this.#lose(reason);
      },
    });
    this.#end = end;
    process.clock.after(WELCOME_MS, () => {
      if (!isWelcome && this.#end === end) {
        end.close("no welcome came");
        this.#lose("no welcome came");
      }
    });
    const hello = listener.hello();
    process.emit(() =>
      network.travel(pathOf(process.name, door.name), () => door.process.receive(() => door.accept(stream, hello))),
    );
  }

  #lose(reason: string): void {
    this.#end = undefined;
    this.#listener?.onLost(reason);
    if (!this.#isClosed) this.#dialLater();
  }
}
