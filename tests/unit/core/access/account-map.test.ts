/** Shows which account a user's work runs as: the row of the user, then that of the domain, then the name itself. */
import { expect, test } from "bun:test";
import { accountOf } from "../../../../src/core/access/account-map.ts";
import { userId } from "../../../../src/core/domain/ids.ts";

const MAP = { "ann@site.example": "ann01", "*@site.example": "*", "*@guests.example": "guest", bot: "svc-bot" };
const of = (user: string): string => accountOf(userId(user), MAP);

test("a row of the user wins over that of the domain, which may name one account for all", () => {
  expect([of("ann@site.example"), of("bob@site.example"), of("eve@guests.example"), of("bot")]).toEqual([
    "ann01",
    "bob",
    "guest",
    "svc-bot",
  ]);
});

test("a user without a row has the account of that name, which need not be one", () => {
  expect([of("carl"), of("eve@elsewhere.example")]).toEqual(["carl", "eve@elsewhere.example"]);
});

test("names that hide a domain, or are those of every object, get no other's account", () => {
  expect([of("root@elsewhere.example@site.example"), of("@site.example")]).toEqual(["root@elsewhere.example", "*"]);
  expect([of("constructor"), of("__proto__")]).toEqual(["constructor", "__proto__"]);
});
