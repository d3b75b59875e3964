/** Shows which addresses of servers are understood, and what they become. */
import { expect, test } from "bun:test";
import { parseEndpoints } from "../../../src/client/endpoints.ts";

test("an address may lack its scheme, and several are joined by commas", () => {
  expect(parseEndpoints("h1:8080, https://h2/,http://[::1]:80/base/")).toEqual({
    ok: true,
    value: ["http://h1:8080", "https://h2", "http://[::1]/base"],
  });
});

test("what is no address is refused with its text", () => {
  for (const text of ["", " , ", "ftp://h", "http://", "h:99999", "http://h?x=1"]) {
    const endpoints = parseEndpoints(text);
    expect([text, endpoints.ok]).toEqual([text, false]);
  }
});
