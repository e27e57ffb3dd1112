import type { StreamInfo } from '@rystra/plugin'
import { asksFor, type GuardHost } from './guard.js'
import type { Tap } from './tap.js'

/**
 * How many combinations of taps are kept compiled. Which taps concern a stream may depend on what its peer says, so the
 * number of combinations must not be for peers to choose; beyond this, the oldest goes.
 */
const maxCombinations = 256

/**
 * Which taps of a hook concern which stream. It is decided once for each stream, and the hook of each combination of
 * taps is compiled once.
 */
export class StreamTaps<Hook> {
  readonly #taps: readonly Tap[]
  readonly #host: GuardHost
  readonly #compile: (taps: readonly Tap[]) => Hook
  /** Both made where a tap chooses. */
  #combinations: Map<string, Hook> | undefined
  #decided: WeakMap<StreamInfo, Hook | Failure | typeof UNTAPPED> | undefined
  /** The hook of all taps, when none of them chooses. */
  readonly #all: Hook | undefined

  constructor(taps: readonly Tap[], host: GuardHost, compile: (taps: readonly Tap[]) => Hook) {
    this.#taps = taps
    this.#host = host
    this.#compile = compile
    this.#all = taps.length > 0 && taps.every((tap) => tap.concerns === undefined) ? compile(taps) : undefined
  }

  /** Whether there is no tap at all. */
  get none(): boolean {
    return this.#taps.length === 0
  }

  /** `undefined` when no tap concerns the stream. Throws when a tap of policy `closed` failed to say. */
  for(stream: StreamInfo): Hook | undefined {
    if (this.#all !== undefined) return this.#all
    this.#decided ??= new WeakMap()
    let decision = this.#decided.get(stream)
    if (decision === undefined) {
      decision = this.#decide(stream)
      this.#decided.set(stream, decision)
    }
    if (decision instanceof Failure) throw decision.error
    return decision === UNTAPPED ? undefined : (decision as Hook)
  }

  #decide(stream: StreamInfo): Hook | Failure | typeof UNTAPPED {
    const chosen: Tap[] = []
    let key = ''
    try {
      for (const tap of this.#taps) {
        const asks = asksFor(tap, this.#host, stream)
        key += asks ? '1' : '0'
        if (asks) chosen.push(tap)
      }
    } catch (error) {
      return new Failure(error)
    }
    return chosen.length === 0 ? UNTAPPED : this.#combination(key, chosen)
  }

  #combination(key: string, chosen: readonly Tap[]): Hook {
    this.#combinations ??= new Map()
    let hook = this.#combinations.get(key)
    if (hook !== undefined) return hook
    const [oldest] = this.#combinations.keys()
    if (oldest !== undefined && this.#combinations.size >= maxCombinations) this.#combinations.delete(oldest)
    hook = this.#compile(chosen)
    this.#combinations.set(key, hook)
    return hook
  }
}

const UNTAPPED = Symbol('untapped')

class Failure {
  readonly error: unknown

  constructor(error: unknown) {
    this.error = error
  }
}
