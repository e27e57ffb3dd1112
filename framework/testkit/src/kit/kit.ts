import { Scope } from './scope.js'

/** One thing that every implementation must do. */
export interface KitCase<Subject> {
  /** A sentence: what it does. Cases are skipped by it. */
  readonly name: string
  /** It looks at the whole process, so nothing else may run beside it. */
  readonly alone: boolean
  /** Whether the case is about what the subject says of itself: that it makes streams, say. @default always */
  applies?(subject: Subject): boolean
  /** Rejects unless the subject does it. `timeout` in ms, for any one thing in it. @default 15000 */
  run(subject: Subject, timeout?: number): Promise<void>
}

/** Where cases are put. mocha, and all that have its two words. */
export interface Runner {
  describe(title: string, body: () => void): void
  it(title: string, body?: () => Promise<void>): unknown
}

/** How a kit is run. */
export interface KitOptions {
  /** @default the kit's name */
  readonly title?: string
  /** Runs these cases alone, by name, for a further variant of an implementation that passes all of them. @default all */
  readonly only?: readonly string[]
  /** Cases that the implementation need not pass, by name, each with the reason. It is shown. */
  readonly skip?: Readonly<Record<string, string>>
  /** Milliseconds that any one thing in a case may take. @default 15000 */
  readonly timeout?: number
  /** @default the global `describe` and `it` */
  readonly runner?: Runner
}

/** Call it where `describe` may be called; `cases` are there to be run without a test runner. */
export interface Kit<Subject> {
  (subject: Subject, options?: KitOptions): void
  readonly cases: readonly KitCase<Subject>[]
}

/** What a case is written as. `prepare` is what all cases of a kit begin with. */
export type Body<Prepared> = (prepared: Prepared, scope: Scope) => Promise<void> | void

/** What is particular about a case. */
export type CaseOptions<Subject> = Partial<Pick<KitCase<Subject>, 'alone' | 'applies'>>

/** Makes the case of a kit whose cases all begin alike. */
export const caseMaker =
  <Subject, Prepared>(prepare: (subject: Subject, scope: Scope) => Promise<Prepared> | Prepared) =>
  (name: string, body: Body<Prepared>, { alone = false, applies }: CaseOptions<Subject> = {}): KitCase<Subject> => ({
    name,
    alone,
    applies,
    async run(subject, timeout) {
      const scope = new Scope(timeout)
      try {
        await body(await prepare(subject, scope), scope)
      } finally {
        await scope.close()
      }
    }
  })

const checkSkips = (title: string, skip: Readonly<Record<string, string>>, names: readonly string[]): void => {
  for (const [name, reason] of Object.entries(skip)) {
    if (!names.includes(name)) throw new TypeError(`${title}: there is no case "${name}" to skip`)
    if (reason.trim() === '') throw new TypeError(`${title}: skipping "${name}" needs a reason`)
  }
}

/** Makes a kit of its cases. Those that do not apply to a subject are not shown with it. */
export const defineKit = <Subject>(kind: string, all: readonly KitCase<Subject>[]): Kit<Subject> => {
  const known = new Set(all.map(({ name }) => name))
  if (known.size !== all.length) throw new TypeError(`${kind}: two cases have one name`)
  const kit = (subject: Subject, options: KitOptions = {}): void => {
    const {
      title = kind,
      only = [...known],
      skip = {},
      timeout = 15_000,
      runner = globalThis as unknown as Runner
    } = options
    const unknown = only.find((name) => !known.has(name))
    if (unknown !== undefined) throw new TypeError(`${title}: there is no case "${unknown}"`)
    const cases = all.filter(({ name, applies }) => only.includes(name) && (applies?.(subject) ?? true))
    checkSkips(
      title,
      skip,
      cases.map(({ name }) => name)
    )
    runner.describe(title, () => {
      for (const { name, run } of cases) {
        const reason = skip[name]
        if (reason !== undefined) {
          runner.it(`${name} (skipped: ${reason})`)
          continue
        }
        const test = runner.it(name, () => run(subject, timeout)) as { timeout?(ms: number): void } | undefined
        // a case waits for several things, one after the other
        test?.timeout?.(timeout * 6)
      }
    })
  }
  return Object.assign(kit, { cases: all })
}
