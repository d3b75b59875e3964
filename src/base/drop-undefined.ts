/** Records without their undefined fields: an absent field and an undefined one must not differ in a record's text. */

/** Returns a copy of `record` without the fields that are undefined. */
export function dropUndefined<T extends object>(record: { readonly [K in keyof T]: T[K] | undefined }): T {
  const copy: { [K in keyof T]?: T[K] } = {};
  for (const key in record) {
    const value = record[key];
    if (value !== undefined) copy[key] = value;
  }
  return copy as T;
}
