/**
 * A configuration file as plain data that remembers its lines, so that every complaint
 * about a value can say where the value stands.
 */
import { isMap, isNode, LineCounter, parseDocument } from "yaml";

/** The content of a configuration file. */
export interface YamlSource {
  readonly data: Readonly<Record<string, unknown>>;
  /** Returns "file:line" of the value at `path`, or of the nearest thing around it that the file has. */
  place(path: readonly PropertyKey[]): string;
}

/** What reading gave: the source, or one sentence per problem, each with its place. */
export type YamlReading = YamlSource | { readonly problems: readonly string[] };

/** Reads the text of the file called `name`. */
export function readYaml(name: string, text: string): YamlReading {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, strict: true });
  const where = (offset: number) => `${name}:${lines.linePos(offset).line}`;
  if (document.errors.length > 0) {
    return {
      problems: document.errors.map((e) => `${where(e.pos[0])}: ${e.message.toLowerCase().replace(/\.$/, "")}`),
    };
  }
  if (document.contents === null) return { data: {}, place: () => name };
  if (!isMap(document.contents)) {
    return { problems: [`${where(document.contents.range[0])}: the file must hold sections, as "quorum:" on a line`] };
  }
  const place = (path: readonly PropertyKey[]): string => {
    for (let length = path.length; length > 0; length--) {
      const at = offsetOf(document, path.slice(0, length));
      if (at !== undefined) return where(at);
    }
    return name;
  };
  return { data: record(document.toJS()), place };
}

/** Returns `value` when it is a plain record, else an empty one. */
export function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : {};
}

/** A key of a map stands where its name is; an item of a list where it begins. */
function offsetOf(document: ReturnType<typeof parseDocument>, path: readonly PropertyKey[]): number | undefined {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const last = path.at(-1);
  if (isMap(parent)) {
    const pair = parent.items.find(({ key }) => String(key) === String(last));
    return pair !== undefined && isNode(pair.key) ? pair.key.range?.[0] : undefined;
  }
  const node = document.getIn(path, true);
  return isNode(node) ? node.range?.[0] : undefined;
}
