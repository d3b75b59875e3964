/** Shows which ways to log in are tried, from what is asked, where the user sits and what the provider offers. */
import { expect, test } from "bun:test";
import { chooseFlows, type FlowSurroundings } from "../../../../src/cli/auth/choose-flow.ts";

const flows = (env: FlowSurroundings["env"], rest: Partial<FlowSurroundings> = {}) =>
  chooseFlows({ asked: undefined, env, platform: "linux", hasDeviceFlow: true, ...rest });

test("a desk with a display uses its browser, and falls back to another machine's", () => {
  expect(flows({ DISPLAY: ":0" })).toEqual(["pkce", "device", "manual"]);
  expect(flows({ WAYLAND_DISPLAY: "wayland-0" })).toEqual(["pkce", "device", "manual"]);
  expect(flows({}, { platform: "darwin" })).toEqual(["pkce", "device", "manual"]);
});

test.each(["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"])("with %s the browser is elsewhere, display or not", (name) => {
  expect(flows({ [name]: "x", DISPLAY: "localhost:10.0" })).toEqual(["device", "manual"]);
  expect(flows({ [name]: "x" }, { platform: "darwin" })).toEqual(["device", "manual"]);
});

test("no display, and a provider without codes, leave the pasted address", () => {
  expect(flows({})).toEqual(["device", "manual"]);
  expect(flows({}, { hasDeviceFlow: false })).toEqual(["manual"]);
  expect(flows({ DISPLAY: ":0" }, { hasDeviceFlow: false })).toEqual(["pkce", "manual"]);
});

test("a service's id and secret log in a service, one of them alone does not", () => {
  const both = { LATTICE_CLIENT_ID: "a", LATTICE_CLIENT_SECRET: "b", DISPLAY: ":0" };
  expect(flows(both)).toEqual(["client-credentials"]);
  expect(flows({ ...both, LATTICE_CLIENT_SECRET: "" })).toEqual(["pkce", "device", "manual"]);
});

test("what is asked for is all that is tried", () => {
  expect(flows({ SSH_TTY: "x" }, { asked: "pkce" })).toEqual(["pkce"]);
});
