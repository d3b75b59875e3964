/**
 * Bounds on what is read from a token before its signature is checked: a stranger wrote it.
 * A token within them costs little to parse, whoever made it.
 */
const HEADER_LENGTH_MAX = 2_048;
const NESTING_MAX = 10;
const PARTS = /^([\w-]+)\.([\w-]+)\.([\w-]*)$/;

/** Returns what is wrong with the outline of a compact token, or undefined. */
export function whyMisshapen(token: string): string | undefined {
  const parts = PARTS.exec(token);
  const [, header = "", payload = ""] = parts ?? [];
  if (parts === null) return "it is not a well-formed JSON web token";
  if (header.length > HEADER_LENGTH_MAX) return `its header is longer than ${HEADER_LENGTH_MAX} characters`;
  const isDeep = [header, payload].some((part) => nestingOf(Buffer.from(part, "base64url")) > NESTING_MAX);
  return isDeep ? `it is nested more than ${NESTING_MAX} levels deep` : undefined;
}

const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_RECORD, CLOSE_RECORD] = Buffer.from('"\\[]{}');

/** Returns how deep lists and records of a JSON text are nested; reads it once and builds nothing. */
function nestingOf(json: Uint8Array): number {
  let depth = 0;
  let deepest = 0;
  let isInText = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (isInText) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) isInText = false;
    } else if (byte === QUOTE) isInText = true;
    else if (byte === OPEN_LIST || byte === OPEN_RECORD) deepest = Math.max(deepest, ++depth);
    else if (byte === CLOSE_LIST || byte === CLOSE_RECORD) depth--;
  }
  return deepest;
}
