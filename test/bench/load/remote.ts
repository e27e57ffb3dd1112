import type { ChildProcess } from 'node:child_process'

/** What a worker can be asked; each method takes one value and answers with one, both as JSON. */
// biome-ignore lint/suspicious/noExplicitAny: each method has its own, see the interfaces of the workers
export type Methods = Record<string, (value: any) => unknown>

interface Call {
  readonly id: number
  readonly method: string
  readonly value: unknown
}

interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

/** Worker: answers calls of the process that forked it, and ends with it. */
export const serve = (methods: Methods): void => {
  process.on('message', ({ id, method, value }: Call) => {
    Promise.resolve()
      .then(() => methods[method]?.(value))
      .then(
        (answer) => process.send?.({ id, value: answer } satisfies Answer),
        (error: Error) => process.send?.({ id, error: error.message } satisfies Answer)
      )
      .catch(() => process.exit(1))
  })
  process.once('disconnect', () => process.exit())
}

/** The other side of {@link serve}. */
export class Remote {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  #next = 0

  constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', ({ id, value, error }: Answer) => {
      const call = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) call?.resolve(value)
      else call?.reject(new Error(error))
    })
    child.once('exit', () => {
      for (const call of this.#waiting.values()) call.reject(new Error('a process of the bench ended'))
      this.#waiting.clear()
    })
  }

  /** Rejects when the worker does, when it ends, and when `timeout` milliseconds have passed. */
  async call<Value>(method: string, value?: unknown, timeout = 60_000): Promise<Value> {
    const id = this.#next++
    let late: NodeJS.Timeout | undefined
    try {
      return await new Promise<Value>((resolve, reject) => {
        this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject })
        late = setTimeout(() => reject(new Error(`${method} took longer than ${timeout / 1000} s`)), timeout)
        if (!this.#child.connected) return reject(new Error('a process of the bench ended'))
        this.#child.send({ id, method, value } satisfies Call)
      })
    } finally {
      clearTimeout(late)
      this.#waiting.delete(id)
    }
  }
}
