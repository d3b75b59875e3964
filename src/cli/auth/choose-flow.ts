/** Decides how to log in, from where the user sits and what the identity provider can do. */

/** The ways to log in. */
export const FLOWS = ["pkce", "device", "manual", "client-credentials"] as const;
/** One of those ways. */
export type Flow = (typeof FLOWS)[number];

/** What the decision is made from. */
export interface FlowSurroundings {
  /** What the user asked for. */
  readonly asked: Flow | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: string;
  /** Whether the provider offers the device flow. */
  readonly hasDeviceFlow: boolean;
}

/**
 * Returns the ways to try, in order: the one asked for alone; a service's secret where one
 * is given; the browser of this machine where there is one; else another machine's.
 */
export function chooseFlows({ asked, env, platform, hasDeviceFlow }: FlowSurroundings): readonly Flow[] {
  if (asked !== undefined) return [asked];
  if (env.LATTICE_CLIENT_ID && env.LATTICE_CLIENT_SECRET) return ["client-credentials"];
  const elsewhere: readonly Flow[] = hasDeviceFlow ? ["device", "manual"] : ["manual"];
  return hasBrowser(env, platform) ? ["pkce", ...elsewhere] : elsewhere;
}

/** Someone who came over SSH has a browser at home, not here, even where a display is forwarded. */
function hasBrowser(env: FlowSurroundings["env"], platform: string): boolean {
  if (env.SSH_CONNECTION || env.SSH_CLIENT || env.SSH_TTY) return false;
  return platform === "darwin" || platform === "win32" || Boolean(env.DISPLAY || env.WAYLAND_DISPLAY);
}
