import { GUARD, hookNames, OBSERVE, type RystraError } from '@rystra/plugin'
import { expect } from 'chai'
import { hookTable } from '@rystra/plugin'
import { extension, failure, hello, provisioned, session, settle, stream } from './fixtures.js'

describe('stages', () => {
  it('come before the order of the configuration, which holds within one', async () => {
    const seen: string[] = []
    const at = (name: string, stage?: number) =>
      extension(
        name,
        ({ hooks }) => void hooks.onHello.tap(stage === undefined ? {} : { stage }, () => void seen.push(name))
      )()
    const { calls, kernel } = await provisioned([
      at('late', OBSERVE),
      at('n1'),
      at('guard', GUARD),
      at('n2'),
      at('mid', 50)
    ])
    await calls.hello(hello)
    expect(seen).deep.equal(['guard', 'n1', 'n2', 'mid', 'late'])
    expect(kernel.inspect().hooks.onHello.map(({ extension }) => extension)).deep.equal(seen)
  })
})

describe('timeouts', () => {
  const slow = (timeout?: number) =>
    extension('slow', ({ hooks }) => {
      hooks.onHello.tapPromise(timeout === undefined ? {} : { timeout }, () => new Promise(() => {}))
    })()

  it('are 5000 ms unless the tap says otherwise, and leave no timer behind', async () => {
    const { calls, clock } = await provisioned([slow()])
    let done = false
    const answer = calls.hello(hello).then((deny) => {
      done = true
      return deny
    })
    clock.pass(4999)
    await Promise.resolve()
    expect(done).equal(false)
    clock.pass(1)
    expect((await answer)?.deny).match(/5000 ms/)
    expect(clock.pending).equal(0)
  })

  it('do not exist with 0', async () => {
    const { calls, clock } = await provisioned([slow(0)])
    void calls.hello(hello)
    await Promise.resolve()
    expect(clock.pending).equal(0)
  })

  it('end with the answer', async () => {
    const quick = extension('quick', ({ hooks }) => void hooks.onHello.tapPromise(async () => ({ deny: 'no' })))
    const { calls, clock } = await provisioned([quick()])
    expect(await calls.hello(hello)).deep.equal({ deny: 'no' })
    expect(clock.pending).equal(0)
  })

  it('let a rejection that comes too late pass by unheard', async () => {
    let reject = (_: Error): void => {}
    const slow = extension('slow', ({ hooks }) => {
      hooks.onHello.tapPromise({ timeout: 10 }, () => new Promise((_, no) => (reject = no)))
    })
    const { calls, clock } = await provisioned([slow()])
    const answer = calls.hello(hello)
    clock.pass(10)
    await answer
    reject(new Error('too late'))
    await new Promise((resolve) => setImmediate(resolve))
  })
})

describe('failure policies', () => {
  const failing = (onFailure: 'closed' | 'open' | 'skip', seen: number[] = []) =>
    extension('failing', ({ hooks }) => {
      hooks.onHello.tap({ onFailure }, () => {
        seen.push(1)
        throw new Error('x')
      })
    })()

  it('open goes on as if nothing had been answered', async () => {
    const { calls, kernel } = await provisioned([failing('open')])
    expect(await calls.hello(hello)).equal(undefined)
    expect(await calls.hello(hello)).equal(undefined)
    expect(kernel.inspect().hooks.onHello[0]).include({ calls: 2, errors: 2, skipped: 0 })
  })

  it('skip leaves the tap out for 30 seconds of the clock', async () => {
    const seen: number[] = []
    const { calls, clock, kernel } = await provisioned([failing('skip', seen)])
    expect(await calls.hello(hello)).equal(undefined)
    await calls.hello(hello)
    clock.pass(29_999)
    await calls.hello(hello)
    expect(seen).length(1)
    expect(kernel.inspect().hooks.onHello[0]).include({ calls: 1, errors: 1, skipped: 2 })
    clock.pass(1)
    await calls.hello(hello)
    expect(seen).length(2)
  })

  it('skip holds for asynchronous taps and onData as well', async () => {
    const a = extension('a', ({ hooks }) => {
      hooks.onHello.tapPromise({ onFailure: 'skip' }, () => Promise.reject(new Error('x')))
      hooks.onData.tap({ onFailure: 'skip' }, () => 'text' as never)
    })
    const { calls, kernel } = await provisioned([a()])
    const tap = calls.dataTap(stream(), 'toService')
    for (let i = 0; i < 3; i++) {
      await calls.hello(hello)
      tap?.(Buffer.from('x'))
    }
    const { hooks } = kernel.inspect()
    expect(hooks.onHello[0]).include({ calls: 1, skipped: 2 })
    expect(hooks.onData[0]).include({ calls: 1, skipped: 2 })
  })

  it('log a tap that keeps failing once a second, with how many were not logged', async () => {
    const { calls, clock, log } = await provisioned([failing('open')])
    for (let i = 0; i < 100; i++) await calls.hello(hello)
    expect(log.lines).length(1)
    clock.pass(1000)
    await calls.hello(hello)
    expect(log.lines).length(2)
    expect(log.lines[1]?.fields).include({ unlogged: 99 })
  })
})

describe('counters', () => {
  it('count calls, and the time a tap took', async () => {
    const busy = extension('busy', ({ hooks }) => {
      hooks.onHello.tap(() => {
        const end = performance.now() + 5
        while (performance.now() < end);
      })
    })
    const { calls, kernel } = await provisioned([busy()])
    await calls.hello(hello)
    await calls.hello(hello)
    const [tap] = kernel.inspect().hooks.onHello
    expect(tap).include({ calls: 2, errors: 0, timeouts: 0, skipped: 0 })
    expect(tap?.totalMs).greaterThan(9)
  })
})

describe('asynchronous functions in synchronous taps', () => {
  for (const hook of hookNames) {
    it(`are refused by ${hook} at set-up, by the names of extension and hook`, async () => {
      const eager = extension(
        'eager',
        ({ hooks }) => void (hooks[hook] as typeof hooks.onHello).tap((async () => undefined) as never)
      )
      const error = (await failure(provisioned([eager()]), 'extension.async-tap')) as RystraError
      expect(error.detail).equal(`eager in ${hook}`)
    })
  }

  it('are refused as generators as well', async () => {
    const eager = extension('eager', ({ hooks }) => void hooks.onHello.tap(function* () {} as never))
    await failure(provisioned([eager()]), 'extension.async-tap')
  })

  it('refuse the session when they come in disguise and return a promise', async () => {
    const sly = extension('sly', ({ hooks }) => void hooks.onHello.tap((() => Promise.resolve(undefined)) as never))
    const guard = extension('guard', ({ hooks }) => void hooks.onHello.tap(() => ({ deny: 'no' })))
    const { calls, log } = await provisioned([sly(), guard()])
    expect(await calls.hello(hello)).deep.equal({ deny: 'a tap failed: sly in onHello' })
    expect((log.lines[0]?.fields.err as Error | undefined)?.message).include('sly in onHello returned a promise')
  })

  it('cannot end the process with a promise that is rejected and not awaited', async () => {
    const sly = extension('sly', ({ hooks }) => {
      hooks.onHello.tap((() => Promise.reject(new Error('unheard'))) as never)
      hooks.onConnect.tap((() => Promise.reject(new Error('unheard'))) as never)
    })
    const { calls } = await provisioned([sly()])
    const unheard: unknown[] = []
    const others = process.rawListeners('unhandledRejection') as NodeJS.UnhandledRejectionListener[]
    process.removeAllListeners('unhandledRejection')
    process.on('unhandledRejection', (error) => unheard.push(error))
    try {
      await calls.hello(hello)
      calls.connect({ session, side: 'server', channels: {} as never })
      await settle()
    } finally {
      process.removeAllListeners('unhandledRejection')
      for (const listener of others) process.on('unhandledRejection', listener)
    }
    expect(unheard).deep.equal([])
  })

  for (const hook of hookNames.filter((name) => !hookTable[name].async)) {
    it(`cannot be given to ${hook} by tapPromise either`, async () => {
      const eager = extension('eager', ({ hooks }) => {
        ;(hooks[hook] as unknown as { tapPromise: (fn: unknown) => void }).tapPromise(async () => undefined)
      })
      await failure(provisioned([eager()]), 'extension.async-tap')
    })
  }
})

describe('the facade', () => {
  it('is frozen, and has tap and tapPromise only', async () => {
    const checking = extension('look', ({ hooks, registries }) => {
      expect(Object.isFrozen(hooks)).equal(true)
      expect(Object.keys(hooks)).deep.equal([...hookNames])
      for (const name of hookNames) {
        expect(Object.isFrozen(hooks[name])).equal(true)
        expect(Object.keys(hooks[name])).deep.equal(['tap', 'tapPromise'])
      }
      expect(Object.isFrozen(registries)).equal(true)
    })
    await provisioned([checking()])
  })

  it('refuses taps after the set-up, and says so', async () => {
    let later = (): void => {}
    const late = extension('late', ({ hooks }) => {
      later = () => hooks.onHello.tap(() => ({ deny: 'x' }))
    })
    const { calls } = await provisioned([late()])
    const error = await failure(later, 'extension.too-late')
    expect(error.message).include('late taps onHello')
    expect(await calls.hello(hello)).equal(undefined)
  })

  const options: Record<string, object> = {
    'an unknown option': { stagee: 1 },
    'a stage that is text': { stage: 'first' },
    'a negative timeout': { timeout: -1 },
    'a timeout that is no number': { timeout: '5s' },
    'an unknown policy': { onFailure: 'ignore' },
    'concerns on a hook without streams': { concerns: () => true },
    'no object': [] as object
  }
  for (const [what, given] of Object.entries(options)) {
    it(`refuses ${what}`, async () => {
      const odd = extension('odd', ({ hooks }) => void hooks.onHello.tap(given as never, () => undefined))
      const error = await failure(provisioned([odd()]), 'extension.setup-failed')
      expect(error.detail).include('odd, onHello')
    })
  }

  it('refuses an asynchronous concerns, which would always be true', async () => {
    const odd = extension('odd', ({ hooks }) => {
      hooks.onData.tap({ concerns: (async () => false) as never }, () => undefined)
    })
    await failure(provisioned([odd()]), 'extension.setup-failed')
  })

  it('refuses what is not a function', async () => {
    const odd = extension('odd', ({ hooks }) => void hooks.onHello.tap('deny' as never))
    await failure(provisioned([odd()]), 'extension.setup-failed')
  })
})
