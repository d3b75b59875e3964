/**
 * Request bodies: read within bounds, parsed, checked against a schema that is compiled
 * once. Only types and presence are checked here (422); whether the values make sense is
 * for the operation (400). A field that is null counts as absent.
 */
import { getSchemaValidator, type Static, type TSchema, t } from "elysia";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import { LIMITS } from "../../core/domain/limits.ts";

/** A kind of body, with the schema that the API document shows. */
export interface JsonBody<T> {
  readonly schema: TSchema;
  /** @throws UNSUPPORTED_MEDIA_TYPE, TOO_LARGE, MALFORMED or INVALID_BODY, naming the field. */
  read(request: Request): Promise<T>;
}

/** A whole number. Elysia's own integer also takes text such as "5", which JSON does not need. */
export const integer = (description?: string) =>
  t.Number({ multipleOf: 1, ...(description !== undefined && { description }) });

/** Describes a body that must be there. */
export function jsonBody<S extends TSchema>(schema: S): JsonBody<Static<S>> {
  const check = checker(schema);
  return {
    schema,
    async read(request) {
      if (!isJson(request.headers.get("content-type") ?? "")) {
        throw new LatticeError(fault("UNSUPPORTED_MEDIA_TYPE", "the body must be JSON"));
      }
      return check(parse(await readText(request)));
    },
  };
}

/** Describes a body that may be left out; all its fields are optional. */
export function optionalJsonBody<S extends TSchema>(schema: S): JsonBody<Static<S>> {
  const check = checker(schema);
  const required = jsonBody(schema);
  return {
    schema,
    async read(request) {
      if (request.headers.has("content-type")) return required.read(request);
      const text = await readText(request);
      return check(text === "" ? {} : parse(text));
    },
  };
}

const isJson = (type: string): boolean => /^application\/(?:[\w.-]+\+)?json(?:$|[\s;])/i.test(type);

async function readText(request: Request): Promise<string> {
  const declared = request.headers.get("content-length");
  if (declared === null) return readCounted(request);
  if (Number(declared) > LIMITS.requestBytesMax) throw tooLarge();
  return request.text();
}

/** A body of unknown length is given up as soon as it is too large. */
async function readCounted(request: Request): Promise<string> {
  if (request.body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.byteLength;
    if (size > LIMITS.requestBytesMax) throw tooLarge();
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

const tooLarge = () => new LatticeError(fault("TOO_LARGE", `the body is larger than ${LIMITS.requestBytesMax} bytes`));

function parse(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return text.includes("null") ? withoutNulls(value) : value;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new LatticeError(fault("MALFORMED", `the body is not JSON: ${why}`));
  }
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([, field]) => field !== null);
  return Object.fromEntries(kept.map(([key, field]) => [key, withoutNulls(field)]));
}

/** Compiled at first use, so that a server starts without compiling what nobody calls. */
function checker<S extends TSchema>(schema: S): (value: unknown) => Static<S> {
  const compile = () => getSchemaValidator(schema, { normalize: false, additionalProperties: true });
  let compiled: ReturnType<typeof compile> | undefined;
  return (value) => {
    compiled ??= compile();
    const result = compiled.safeParse(value);
    if (result.success) return result.data;
    const [first] = result.errors;
    throw new LatticeError(fault("INVALID_BODY", first ? explain(first) : "the body has the wrong form"));
  };
}

function explain(error: { readonly path?: string; readonly message?: string; readonly value?: unknown }): string {
  const field = (error.path ?? "").slice(1).replaceAll("/", ".");
  if (field === "") return "the body must be a JSON object";
  if (error.value === undefined) return `the field ${field} is missing`;
  const expected = (error.message ?? "").toLowerCase().replace(/number to be a? ?multiple of 1/, "integer");
  return `the field ${field} has the wrong type: ${expected}`;
}
