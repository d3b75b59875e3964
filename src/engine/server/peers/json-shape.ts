/** Checks that JSON from another server is what it should be, field by field. */

/** Tells whether a value is a `T`. */
export type Shape<T> = (value: unknown) => value is T;

/** Any string, also a branded one. */
export const text = <T extends string = string>(value: unknown): value is T => typeof value === "string";

/** A finite number, also a branded one. */
export const number = <T extends number = number>(value: unknown): value is T => Number.isFinite(value);

/** True or false. */
export const flag = (value: unknown): value is boolean => typeof value === "boolean";

/** One of the texts given. */
export const oneOf =
  <T extends string>(...texts: readonly T[]): Shape<T> =>
  (value): value is T =>
    texts.some((known) => known === value);

/** `shape`, or nothing. */
export const maybe =
  <T>(shape: Shape<T>): Shape<T | undefined> =>
  (value): value is T | undefined =>
    value === undefined || shape(value);

/** A list of which every item has the shape. */
export const list =
  <T>(item: Shape<T>): Shape<readonly T[]> =>
  (value): value is readonly T[] =>
    Array.isArray(value) && value.every(item);

/** An object with these fields; others are ignored. */
export const record = <T extends object>(fields: { readonly [K in keyof Required<T>]: Shape<T[K]> }): Shape<T> => {
  const shapes = Object.entries<Shape<unknown>>(fields);
  return (value): value is T =>
    typeof value === "object" && value !== null && shapes.every(([name, shape]) => shape(Reflect.get(value, name)));
};
