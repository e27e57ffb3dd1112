import { type Context, ROOT_CONTEXT, type Span, trace } from '@opentelemetry/api'

/** A context of one value. Those of the API have a map each, which a request that is not sampled would make and drop. */
class SingleValue implements Context {
  readonly #key: symbol
  readonly #value: unknown

  constructor(key: symbol, value: unknown) {
    this.#key = key
    this.#value = value
  }

  getValue(key: symbol): unknown {
    return key === this.#key ? this.#value : undefined
  }

  setValue(key: symbol, value: unknown): Context {
    return ROOT_CONTEXT.setValue(this.#key, this.#value).setValue(key, value)
  }

  deleteValue(key: symbol): Context {
    return key === this.#key ? ROOT_CONTEXT : this
  }
}

/** The root context, until the API sets a value. */
const empty: Context = {
  getValue: () => undefined,
  setValue: (key, value) => new SingleValue(key, value),
  deleteValue: () => empty
}

/** `trace.setSpan(ROOT_CONTEXT, span)`, for a propagator. */
export const contextOf = (span: Span): Context => trace.setSpan(empty, span)
