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
const SHORT = 250

/** Every case of the kit passes on the good ones and fails on its mutant, for the right reason; and each has one. */
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
        const { subject, because, waits = /in vain|left/.test(because.source) } = mutant
        const timeout = waits ? SHORT : 5_000
        const verdict = await run(subject(), timeout).then(
          () => 'passed',
          (error: Error) => error.message
        )
        expect(verdict).to.match(because)
      }).timeout(20_000)
    }

    for (const [index, make] of good.entries()) {
      it(`passes the one that is right${index === 0 ? '' : `, number ${index + 1}`}`, async () => {
        for (const { run, applies } of kit.cases) if (applies?.(make()) ?? true) await run(make())
      }).timeout(60_000)
    }

    it('has one that is right for each case', () => {
      const subjects = good.map((make) => make())
      const missing = kit.cases.filter(({ applies }) => !subjects.some((one) => applies?.(one) ?? true))
      expect(missing.map(({ name }) => name)).to.deep.equal([])
    })
  })
}
