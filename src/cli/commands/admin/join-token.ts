/** `lattice admin join-token NODE`: what a node gets its first certificate with. */
import { EXIT } from "../../exit-codes.ts";
import type { Command } from "../../grammar/command.ts";
import { wholeNumber } from "../../grammar/parse.ts";
import { printOne } from "../../render/print.ts";

/** `lattice admin join-token`. */
export const joinToken: Command = {
  kind: "command",
  name: "admin join-token",
  summary: "Let a node get its first certificate",
  details: [
    "Prints a token that is good for one node, once: lattice-agent --signing-endpoint=URL with LATTICE_JOIN_TOKEN or --join-token-file. The servers need identity.ca_cert, identity.ca_key and identity.signing_address.",
  ],
  positionals: [{ name: "node", description: "The --node-id of its agent", isRequired: true }],
  flags: {
    address: {
      type: "string",
      valueHint: "HOST[,HOST…]",
      description: "Host names and IP addresses that the agent advertises, besides its id",
    },
    ttl: { type: "string", valueHint: "SECONDS", check: wholeNumber(), description: "How long the token is good" },
  },
  examples: [["lattice admin join-token nid001234 --address 10.1.2.3 > join.token", "a token for one hour"]],
  run: async (given, context) => {
    const addresses = (given.text("address") ?? "").split(",").filter((one) => one !== "");
    const request = { nodeId: given.first() ?? "", addresses, ttlSeconds: given.number("ttl") ?? 0 };
    const made = await context.client().identity.createJoinToken(request, { signal: context.signal });
    await printOne(context, made, { id: made.token, text: () => `${made.token}\n` });
    return EXIT.ok;
  },
};
