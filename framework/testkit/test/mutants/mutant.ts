import { expect } from 'chai'
import type { Kit } from '../../src/index.js'

/** A subject that is broken in one way. */
export interface Mutant<Subject> {
  subject(): Subject
  /** What the case has to say of it: failing for another reason proves nothing. */
  readonly because: RegExp
  /** It fails by waiting, though its reason does not say so. */
  readonly waits?: boolean
}

/** A case that is waited in by a mutant fails after this time, in ms. A reason that is no wait gets the usual time. */
const SHORT_TIMEOUT_MS = 250

/** Every case of the kit passes on the first good one that it is about, and fails on its mutant, for the right reason; and each has one. */
export const killsMutants = <Subject>(
  title: string,
  kit: Kit<Subject>,
  good: readonly (() => Subject)[],
  mutants: Readonly<Record<string, Mutant<Subject>>>
): void => {
  describe(`the ${title} kit`, () => {
    it('has a mutant for each case', () => {
      expect(kit.cases.map(({ name }) => name).filter((name) => !(name in mutants))).to.deep.equal([])
    })

    it('has a case for each mutant', () => {
      const names = kit.cases.map(({ name }) => name)
      expect(Object.keys(mutants).filter((name) => !names.includes(name))).to.deep.equal([])
    })

    for (const { name, run } of kit.cases) {
      const mutant = mutants[name]
      if (mutant === undefined) continue
      it(`fails a mutant that does not: ${name}`, async () => {
        const { subject, because, waits = /waiting for|left/.test(because.source) } = mutant
        const timeout = waits ? SHORT_TIMEOUT_MS : 5_000
        const verdict = await run(subject(), timeout).then(
          () => 'passed',
          (error: Error) => error.message
        )
        expect(verdict).to.match(because)
      })
    }

    it('passes one that is right', async () => {
      for (const { name, run, applies } of kit.cases) {
        const right = good.find((make) => applies?.(make()) ?? true)
        expect(right, `a right one for: ${name}`).to.not.equal(undefined)
        await run(right?.() as Subject)
      }
    })
  })
}
