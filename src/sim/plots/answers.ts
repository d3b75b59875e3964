/** A plot around answers: what was done is not heard, and is asked for again when much else has happened. */
import { pathOf } from "../network/network.ts";
import { pick } from "../world/chance.ts";
import type { Stage } from "./stage.ts";

/** One client asks and hears nothing for a while. */
export async function lostAnswers(stage: Stage): Promise<void> {
  const client = pick(stage.random, stage.cluster.clients)?.process.name;
  if (client === undefined) return;
  stage.cut(stage.servers.map((server) => pathOf(server.name, client)));
  await stage.wait([200, 1_500]);
}
