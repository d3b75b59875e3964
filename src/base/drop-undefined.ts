/** Records without their undefined fields: an absent field and an undefined one must not differ in a record's text. */

/** Returns a copy of `record` without the fields that are undefined. */
export function dropUndefined<T extends object>(record: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as T;
}
