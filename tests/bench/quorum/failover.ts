/**
 * How long writes stop when the leader is killed: every 20 ms another write goes to the
 * members that are left, in turn; the first that succeeds ends the measurement. So it
 * does not matter how long either kind lets a single write wait.
 */
import { callGrpc } from "./grpc-call.ts";
import { open } from "./load.ts";
import type { Rival } from "./rival.ts";

const PROBE_MS = 20;
const LIMIT_MS = 30_000;

/** Kills the leader, returns the milliseconds until a write succeeds again, and starts the killed one. */
export async function failoverMs(rival: Rival, n: number): Promise<number> {
  const leader = await rival.leader();
  const sessions = rival
    .endpoints()
    .filter((_, i) => i !== leader)
    .map(open);
  await Promise.all(sessions.map((session, i) => callGrpc(session, rival.write(n + i))));
  const begin = performance.now();
  const killed = rival.kill(leader);
  const took = await new Promise<number>((resolve, reject) => {
    let probes = 0;
    const timer = setInterval(() => {
      const session = sessions[probes % sessions.length];
      if (performance.now() - begin > LIMIT_MS) {
        clearInterval(timer);
        reject(new Error(`${rival.name} took no write for ${LIMIT_MS} ms after its leader was killed`));
        return;
      }
      if (!session) return;
      callGrpc(session, rival.write(n + 10 + probes++)).then(
        () => {
          clearInterval(timer);
          resolve(performance.now() - begin);
        },
        () => {},
      );
    }, PROBE_MS);
  });
  await killed;
  for (const session of sessions) session.destroy();
  await rival.start(leader);
  return took;
}
