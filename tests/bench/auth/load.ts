/** `bun load.ts PORT CONNECTIONS MS [TOKEN]`: asks for the nodes as often as the server lets it; prints requests a second. */
import { sendOverHttp } from "../http-load.ts";

const [port = "", connections = "", ms = "", token] = process.argv.slice(2);
const headers = {
  "content-type": "application/json",
  "connect-protocol-version": "1",
  ...(token !== undefined && { authorization: `Bearer ${token}` }),
};
const path = "/lattice.v1.NodeService/ListNodes";
const began = performance.now();
const load = { port: Number(port), path, headers, body: "{}" };
const count = await sendOverHttp(load, Number(connections), () => performance.now() - began >= Number(ms));
console.log((count * 1_000) / (performance.now() - began));
process.exit(0);
