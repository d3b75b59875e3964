/** Taking nodes out of service and back: drain, undrain, disable, enable; under `node` and `admin`. */
import type { LatticeClient } from "../../client/client.ts";
import { LatticeError } from "../../core/domain/errors.ts";
import type { Context } from "../context.ts";
import { EXIT, exitCodeOf } from "../exit-codes.ts";
import { reportFault } from "../failure.ts";
import type { Command } from "../grammar/command.ts";
import type { Flag } from "../grammar/flag.ts";
import { isData, printData } from "../render/print.ts";
import { counted } from "../render/text.ts";

const REASON: Readonly<Record<string, Flag>> = {
  reason: { type: "string", alias: "r", valueHint: "TEXT", description: "Shown to everyone who looks at the node" },
};

interface Change {
  readonly verb: string;
  readonly summary: string;
  readonly details: string;
  readonly flags?: Readonly<Record<string, Flag>>;
  /** Makes the change and returns the line that tells of it. */
  readonly make: (
    nodes: LatticeClient["nodes"],
    request: { readonly nodeId: string; readonly reason: string },
    signal: AbortSignal,
  ) => Promise<string>;
}

const CHANGES = {
  drain: {
    verb: "drain",
    summary: "Let a node run empty",
    details: "Running work goes on, no further work is placed. The node is Drained once nothing runs on it.",
    flags: REASON,
    make: async (nodes, request, signal) => {
      const { activeAllocations } = await nodes.drainNode(request, { signal });
      const rest =
        activeAllocations === 0 ? "nothing runs on it" : `${counted(activeAllocations, "allocation")} still on it`;
      return `Draining node: ${request.nodeId} (${rest})`;
    },
  },
  undrain: {
    verb: "undrain",
    summary: "Put a drained node back into service",
    details: "Works once the node is Drained.",
    make: async (nodes, { nodeId }, signal) => {
      await nodes.undrainNode({ nodeId }, { signal });
      return `Undrained node: ${nodeId}`;
    },
  },
  disable: {
    verb: "disable",
    summary: "Take a node out until it is enabled",
    details: "Heartbeats do not bring it back. What runs there is requeued by its own policy.",
    flags: REASON,
    make: async (nodes, request, signal) => {
      await nodes.disableNode(request, { signal });
      return `Disabled node: ${request.nodeId}`;
    },
  },
  enable: {
    verb: "enable",
    summary: "Let a disabled node come back",
    details: "It takes work again with its next heartbeat.",
    make: async (nodes, { nodeId }, signal) => {
      await nodes.enableNode({ nodeId }, { signal });
      return `Enabled node: ${nodeId}`;
    },
  },
  claim: {
    verb: "claim",
    summary: "Keep an idle node for your own sensitive work",
    details: "It takes nobody else's work until it is released.",
    make: async (nodes, { nodeId }, signal) => {
      await nodes.claimNode({ nodeId }, { signal });
      return `Claimed node: ${nodeId}`;
    },
  },
  release: {
    verb: "release",
    summary: "Give a claimed node back",
    details:
      "It is wiped before it takes other work. A node whose wipe fails stays Down until it is enabled, which wipes it again.",
    make: async (nodes, { nodeId }, signal) => {
      await nodes.releaseNode({ nodeId }, { signal });
      return `Released node: ${nodeId} (it is wiped now)`;
    },
  },
} as const satisfies Record<string, Change>;

/** What can be done to a node. */
export type NodeChange = keyof typeof CHANGES;

/** Returns the command that changes nodes this way, under `parent`. */
export function nodeStateCommand(parent: "node" | "admin", name: NodeChange): Command {
  const change: Change = CHANGES[name];
  return {
    kind: "command",
    name: `${parent} ${change.verb}`,
    summary: change.summary,
    details: [change.details],
    positionals: [
      { name: "node", description: "Names of nodes", isRequired: true, isRepeated: true, completes: "node" },
    ],
    ...(change.flags === undefined ? {} : { flags: change.flags }),
    examples: [
      [`lattice ${parent} ${change.verb} nid001234${change.flags ? ' --reason="maintenance"' : ""}`, change.summary],
    ],
    run: async (given, context) => {
      const reason = change.flags === undefined ? "" : (given.text("reason") ?? "");
      let code: number = EXIT.ok;
      for (const nodeId of given.positionals) {
        try {
          await tell(context, nodeId, await change.make(context.client().nodes, { nodeId, reason }, context.signal));
        } catch (error) {
          if (!(error instanceof LatticeError) || context.signal.aborted) throw error;
          reportFault(context.terminal, error.fault);
          code = code === EXIT.ok ? exitCodeOf(error.fault) : code;
        }
      }
      return code;
    },
  };
}

async function tell(context: Context, nodeId: string, line: string): Promise<void> {
  if (context.settings.isQuiet) context.terminal.out(`${nodeId}\n`);
  else if (isData(context)) await printData(context, { node_id: nodeId, success: true });
  else context.terminal.out(`${line}\n`);
}
