/** Opens a page in the user's browser, as far as there is one; the page's address is on the screen anyway. */

/** Starts the program of BROWSER, or the system's opener, and does not wait for it. */
export function openBrowser(
  address: string,
  env: Readonly<Record<string, string | undefined>>,
  platform: string,
): void {
  const opener = platform === "darwin" ? "open" : "xdg-open";
  const program = env.BROWSER?.split(":")[0] || opener;
  try {
    Bun.spawn([program, address], { stdio: ["ignore", "ignore", "ignore"] }).unref();
  } catch {
    // Nothing opens: the user does it by hand.
  }
}
