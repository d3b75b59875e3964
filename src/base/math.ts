/**
 * The few functions that scores and decay need, from the basic operations of IEEE 754
 * alone, which round alike everywhere: the library's own may differ between processor
 * architectures and versions, and scores must not. Within a few units in the last place.
 */

/** ln 2 in two parts: the first has trailing zeros, so that small multiples of it are exact. */
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;
const { LOG2E, PI, SQRT2 } = Math;

/** Beyond these e^x is infinite, or nothing. */
const EXP_MAX = 709.78;
const EXP_MIN = -745.13;

/** Returns e^x. */
export function exp(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x > EXP_MAX) return Number.POSITIVE_INFINITY;
  if (x < EXP_MIN) return 0;
  const k = Math.round(x * LOG2E);
  const r = x - k * LN2_HIGH - k * LN2_LOW;
  let term = 1;
  let sum = 1;
  for (let n = 1; n <= 18; n++) {
    term = (term * r) / n;
    sum += term;
  }
  return scale(sum, k);
}

/** Returns the natural logarithm of x: NaN below 0, minus infinity at 0. */
export function ln(x: number): number {
  if (Number.isNaN(x) || x < 0) return Number.NaN;
  if (x === 0) return Number.NEGATIVE_INFINITY;
  if (x === Number.POSITIVE_INFINITY) return x;
  let m = x;
  let k = 0;
  for (; m >= SQRT2; m /= 2) k++;
  for (; m < SQRT2 / 2; m *= 2) k--;
  // ln m = 2 (s + s³/3 + s⁵/5 + …) with s = (m − 1) / (m + 1), at most 0.172 in size
  const s = (m - 1) / (m + 1);
  const square = s * s;
  let sum = 0;
  for (let n = 25; n >= 1; n -= 2) sum = sum * square + 1 / n;
  return k * LN2_HIGH + (2 * s * sum + k * LN2_LOW);
}

/** Returns the cosine of x, which must lie between 0 and π. */
export function cos(x: number): number {
  // cos x = −cos(π − x): the series then needs no more than a quarter turn
  if (x > PI / 2) return -cos(PI - x);
  let term = 1;
  let sum = 1;
  for (let n = 2; n <= 24; n += 2) {
    term = (-term * x * x) / (n * (n - 1));
    sum += term;
  }
  return sum;
}

/** Returns 2^x: what is left after −x half-lives. */
export function exp2(x: number): number {
  const k = Math.max(-1_100, Math.min(1_100, Math.round(x)));
  return scale(exp((x - k) * (LN2_HIGH + LN2_LOW)), k);
}

/** Returns x · 2^k for a whole k; exact unless the result is subnormal. */
function scale(x: number, k: number): number {
  let result = x;
  let power = k < 0 ? 0.5 : 2;
  for (let left = Math.abs(k); left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) result *= power;
    power *= power;
  }
  return result;
}
