/** What is known of a step after some pairs: here and there, measured beside each other. */
export type Verdict = 'same' | 'slower' | 'open'

/** What one unit cost here and in the other checkout. */
export interface Pair {
  readonly here: number
  readonly there: number
}

/** Pairs that all have to agree. Noise that shifts one of three pairs is common, six in a row are not. */
export const PAIRS = 6

/** Pairs of counted instructions, which noise hardly reaches. */
export const COUNTED_PAIRS = 3

/**
 * One pair within the limit says that the step is: what a busy machine adds to one side shows in some pairs, a change of
 * the code in all.
 *
 * @param most how much more a unit may cost: 0.1 for a tenth
 * @param enough pairs that have to agree
 */
export const judge = (pairs: readonly Pair[], most: number, enough = PAIRS): Verdict => {
  if (!pairs.every(({ here, there }) => here > there * (1 + most))) return 'same'
  return pairs.length < enough ? 'open' : 'slower'
}
