import { expect } from 'chai'
import { defineExtension, Type } from '@rystra/plugin'
import {
  CUT_CASES,
  defineKit,
  type KitCase,
  type Runner,
  SECURE_SUBSET,
  setUpExtension,
  transportKit
} from '../src/index.js'
import { Scope } from '../src/kit/scope.js'

const named = (name: string, run: KitCase<number>['run'] = async () => {}): KitCase<number> => ({
  name,
  alone: false,
  run
})

/** Keeps what a kit gives a test runner. */
const recorder = (): Runner & { readonly tests: Map<string, (() => Promise<void>) | undefined>; titles: string[] } => {
  const tests = new Map<string, (() => Promise<void>) | undefined>()
  const titles: string[] = []
  return {
    tests,
    titles,
    describe: (title, body) => {
      titles.push(title)
      body()
    },
    it: (title, body) => void tests.set(title, body)
  }
}

describe('a kit', () => {
  it('puts each case into a test, with the subject and the time it may take', async () => {
    const seen: unknown[] = []
    const runner = recorder()
    const kit = defineKit('number', [named('adds', async (subject, timeout) => void seen.push(subject, timeout))])
    kit(7, { runner, title: 'seven', timeout: 123 })
    expect(runner.titles).to.deep.equal(['seven'])
    await runner.tests.get('adds')?.()
    expect(seen).to.deep.equal([7, 123])
  })

  it('shows what is skipped, and why', () => {
    const runner = recorder()
    defineKit('number', [named('adds'), named('divides')])(0, { runner, skip: { divides: 'it is zero' } })
    expect([...runner.tests]).to.have.length(2)
    expect(runner.tests.get('divides (skipped: it is zero)')).to.equal(undefined)
  })

  it('runs only the cases that are named, and refuses a name that no case has', () => {
    const runner = recorder()
    const kit = defineKit('number', [named('adds'), named('divides')])
    kit(0, { runner, only: ['divides'] })
    expect([...runner.tests.keys()]).to.deep.equal(['divides'])
    expect(() => kit(0, { runner: recorder(), only: ['divide'] })).to.throw(/no case "divide"/)
  })

  it('refuses a skip without a reason, one of no case, and two cases of one name', () => {
    const kit = defineKit('number', [named('adds')])
    expect(() => kit(0, { runner: recorder(), skip: { adds: ' ' } })).to.throw(/skipping "adds" needs a reason/)
    expect(() => kit(0, { runner: recorder(), skip: { ads: 'x' } })).to.throw(/no case "ads"/)
    expect(() => defineKit('number', [named('adds'), named('adds')])).to.throw(/one name/)
  })
})

describe('the subsets of the transport kit', () => {
  it('name cases that it has', () => {
    const names = transportKit.cases.map(({ name }) => name)
    expect([...SECURE_SUBSET, ...CUT_CASES].filter((name) => !names.includes(name))).to.deep.equal([])
    expect(CUT_CASES).to.have.length.greaterThan(0)
  })
})

describe('a run of a case', () => {
  it('says what it waited for', async () => {
    const scope = new Scope(5)
    for (const wait of [
      () => scope.wait(new Promise(() => {}), 'the bus'),
      () => scope.until(() => false, 'the bus')
    ]) {
      const error = await wait().catch((thrown: Error) => thrown)
      expect(error).to.have.property('message', 'timed out after 5 ms waiting for the bus')
    }
  })

  it('closes what it opened, last first, also when something cannot be closed', async () => {
    const scope = new Scope(5)
    const closed: number[] = []
    scope.defer(() => closed.push(1))
    scope.defer(() => new Promise(() => {}))
    scope.defer(() => {
      throw new Error('closed already')
    })
    scope.defer(() => closed.push(2))
    await scope.close()
    expect(closed).to.deep.equal([2, 1])
    expect(scope.signal.aborted).to.equal(true)
  })
})

describe('the harness of an extension', () => {
  const extension = defineExtension({
    name: 'office-hours',
    options: Type.Object({ from: Type.Integer({ default: 9 }) }),
    setup({ hooks, options, log }) {
      log.info({ from: options.from }, 'set up')
      hooks.onOpenStream.tap({ stage: -100 }, () => ({ deny: 'closed' }))
    }
  })

  it('shows what was tapped, registered and logged, with defaults filled in', () => {
    const { taps, lines, options } = setUpExtension(extension() as never, 'server')
    expect(taps.map(({ hook, promise, options: { stage } }) => [hook, promise, stage])).to.deep.equal([
      ['onOpenStream', false, -100]
    ])
    expect(taps[0]?.fn()).to.deep.equal({ deny: 'closed' })
    expect(lines).to.deep.equal([{ level: 'info', message: 'set up' }])
    expect(options).to.deep.equal({ from: 9 })
  })

  it('refuses options as the framework does', () => {
    const use = (options: object) => () => setUpExtension({ ...extension(), options } as never, 'server')
    expect(use({ from: 'nine' }))
      .to.throw(/\/from/)
      .with.property('code', 'extension.options')
    expect(use({ form: 9 })).to.throw(/\/form: not known/)
  })
})
