/** Shows what a body must be like to be read, and what is said of one that is not. */
import { expect, test } from "bun:test";
import { t } from "elysia";
import { integer, jsonBody, optionalJsonBody } from "../../../src/api/rest/json-body.ts";
import { LIMITS } from "../../../src/core/domain/limits.ts";

const BODY = jsonBody(
  t.Object({ name: t.String(), count: t.Optional(integer()), tags: t.Optional(t.Array(t.String())) }),
);

const post = (body: BodyInit, headers: Record<string, string> = { "content-type": "application/json" }) =>
  new Request("http://localhost/", { method: "POST", body, headers });

const reading = (request: Request) =>
  BODY.read(request).then(
    (value) => JSON.stringify(value),
    (error) => `${error.fault.reason}: ${error.fault.message}`,
  );

test.each([
  ['{"name":"a"}', '{"name":"a"}'],
  ['{"name":"a","count":null}', '{"name":"a"}'],
  ['{"name":"a","more":1}', '{"name":"a","more":1}'],
  ["{}", "INVALID_BODY: the field name is missing"],
  ['{"name":null}', "INVALID_BODY: the field name is missing"],
  ['{"name":1}', "INVALID_BODY: the field name has the wrong type: expected string"],
  ['{"name":"a","count":1.5}', "INVALID_BODY: the field count has the wrong type: expected integer"],
  ['{"name":"a","count":"5"}', "INVALID_BODY: the field count has the wrong type: expected number"],
  ['{"name":"a","tags":["x",1]}', "INVALID_BODY: the field tags.1 has the wrong type: expected string"],
  ["[]", "INVALID_BODY: the body must be a JSON object"],
  ["null", "INVALID_BODY: the body must be a JSON object"],
  ['"text"', "INVALID_BODY: the body must be a JSON object"],
])("%s is read as %s", async (body, outcome) => {
  expect(await reading(post(body))).toBe(outcome);
});

test.each(["{", "", "{'name':1}", "\0"])("%j is not JSON", async (body) => {
  expect(await reading(post(body))).toStartWith("MALFORMED: the body is not JSON");
});

test.each(["text/plain", "application/jsonx", "", "multipart/form-data"])("media type %j is refused", async (type) => {
  expect(await reading(post("{}", { "content-type": type }))).toStartWith("UNSUPPORTED_MEDIA_TYPE");
});

test.each(["application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"])(
  "media type %s is JSON",
  async (type) => {
    expect(await reading(post('{"name":"a"}', { "content-type": type }))).toBe('{"name":"a"}');
  },
);

test("a body that says it is too large is not read, one that does not say is given up in time", async () => {
  const declared = post("{}", {
    "content-type": "application/json",
    "content-length": String(LIMITS.requestBytesMax + 1),
  });
  expect(await reading(declared)).toStartWith("TOO_LARGE");
  let sent = 0;
  const endless = new ReadableStream({
    pull(controller) {
      sent += 1;
      controller.enqueue(new Uint8Array(1024 * 1024).fill(32));
    },
  });
  expect(await reading(post(endless))).toStartWith("TOO_LARGE");
  expect(sent).toBeLessThan(LIMITS.requestBytesMax / (1024 * 1024) + 4);
});

test("a body that may be left out is empty then, and checked when it is there", async () => {
  const optional = optionalJsonBody(t.Object({ reason: t.Optional(t.String()) }));
  expect(await optional.read(new Request("http://localhost/", { method: "POST" }))).toEqual({});
  expect(await optional.read(post('{"reason":"x"}'))).toEqual({ reason: "x" });
  expect(optional.read(post('{"reason":1}'))).rejects.toThrow("wrong type");
});
