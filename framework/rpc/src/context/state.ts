/** Names a value of a declared type in a {@link State}. */
export interface StateKey<Value> {
  readonly name: string
  /** Never there: carries the type. */
  readonly value?: Value
}

/** A key with the type of its value: `const user = stateKey<User>('user')`. Two keys of one name are two keys. */
export const stateKey = <Value>(name: string): StateKey<Value> => Object.freeze({ name })

/** Values by typed keys. */
export class State {
  #values: Map<StateKey<unknown>, unknown> | undefined

  get<Value>(key: StateKey<Value>): Value | undefined {
    return this.#values?.get(key) as Value | undefined
  }

  set<Value>(key: StateKey<Value>, value: Value): this {
    this.#values ??= new Map()
    this.#values.set(key, value)
    return this
  }

  has(key: StateKey<unknown>): boolean {
    return this.#values?.has(key) === true
  }

  delete(key: StateKey<unknown>): boolean {
    return this.#values?.delete(key) === true
  }
}
