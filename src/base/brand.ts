/** Names for strings and numbers that must not be mixed up. The brand exists for the compiler only. */
declare const brand: unique symbol;

/** A `T` that the compiler keeps apart from other `T`s. */
export type Brand<T, B extends string> = T & { readonly [brand]: B };

/** Milliseconds: since the Unix epoch when it names a moment, else a span. */
export type Millis = Brand<number, "Millis">;
/** Position in the replicated log; the first entry has 1. */
export type LogIndex = Brand<number, "LogIndex">;
/** A Raft term. */
export type Term = Brand<number, "Term">;

/** Brands a number of milliseconds. */
export const millis = (value: number): Millis => value as Millis;
/** Brands a log index. */
export const logIndex = (value: number): LogIndex => value as LogIndex;
/** Brands a term. */
export const term = (value: number): Term => value as Term;
