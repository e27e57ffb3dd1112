import { expect } from 'chai'
import { extension, failure, opening, provisioned, session, spec, stream } from './fixtures.js'

describe('onRegisterProxy', () => {
  const changing = (name: string, fn: (spec: typeof import('./fixtures.js').spec) => unknown) =>
    extension(name, ({ hooks }) => void hooks.onRegisterProxy.tap((sent) => fn(sent) as never))()

  it('uses the spec as sent when no tap changes it', async () => {
    const { calls } = await provisioned([])
    expect(await calls.registerProxy(spec, session)).deep.equal(spec)
    const idle = await provisioned([
      changing('a', () => undefined),
      changing('b', () => null),
      changing('c', (sent) => sent)
    ])
    expect(await idle.calls.registerProxy(spec, session)).deep.equal(spec)
  })

  it('hands each tap what the one before made of it', async () => {
    const { calls } = await provisioned([
      changing('a', (sent) => ({ ...sent, port: 1 })),
      changing('b', ({ port, ...rest }) => ({ ...rest, port: (port as number) + 1 }))
    ])
    expect(await calls.registerProxy(spec, session)).deep.equal({ ...spec, port: 2 })
  })

  it('may change the kind', async () => {
    const { calls } = await provisioned([changing('a', (sent) => ({ ...sent, kind: 'limited' }))])
    expect((await calls.registerProxy(spec, session)).kind).equal('limited')
  })

  it('refuses this proxy with the reason, and asks no further tap', async () => {
    let called = 0
    const { calls } = await provisioned([
      changing('a', () => ({ deny: 'not at night' })),
      changing('b', () => void called++)
    ])
    const error = await failure(calls.registerProxy(spec, session), 'proxy.refused')
    expect(error.detail).equal('not at night')
    expect(called).equal(0)
  })

  it('does not count a denial as an error', async () => {
    const denying = extension('a', ({ hooks }) => void hooks.onRegisterProxy.tapPromise(async () => ({ deny: 'x' })))
    const { calls, kernel, log } = await provisioned([denying()])
    await failure(calls.registerProxy(spec, session), 'proxy.refused')
    expect(kernel.inspect().hooks.onRegisterProxy[0]).include({ calls: 1, errors: 0 })
    expect(log.lines).deep.equal([])
  })

  const wrong: Record<string, (sent: Record<string, unknown>) => unknown> = {
    throws: () => {
      throw new Error('x')
    },
    'changes the name': (sent) => ({ ...sent, name: 'other' }),
    'loses the kind': ({ kind, ...rest }) => rest,
    'answers an empty kind': (sent) => ({ ...sent, kind: '' }),
    'answers true': () => true,
    'answers a list': () => [],
    'changes the spec in place': (sent) => {
      Object.assign(sent, { port: 1 })
    }
  }
  for (const [what, fn] of Object.entries(wrong)) {
    it(`refuses this proxy when a tap ${what}`, async () => {
      const { calls } = await provisioned([changing('odd', fn)])
      const error = await failure(calls.registerProxy(spec, session), 'proxy.refused')
      expect(error.detail).equal('a tap failed: odd in onRegisterProxy')
    })
  }

  it('does not freeze the object of the caller', async () => {
    const own = { ...spec }
    const { calls } = await provisioned([])
    await calls.registerProxy(own, session)
    expect(Object.isFrozen(own)).equal(false)
  })
})

describe('onOpenStream', () => {
  it('is undefined at once, without a promise, when no tap concerns the stream', async () => {
    expect((await provisioned([])).calls.openStream(opening())).equal(undefined)
    const other = extension('other', ({ hooks }) => {
      hooks.onOpenStream.tap({ concerns: ({ proxy }) => proxy.name === 'web' }, () => ({ deny: 'no' }))
    })
    const { calls } = await provisioned([other()])
    expect(calls.openStream(opening())).equal(undefined)
    expect(await calls.openStream(opening({ name: 'web', kind: 'tcp' }))).deep.equal({ deny: 'no' })
  })

  it('asks only the taps that the stream concerns', async () => {
    const called: string[] = []
    const on = (name: string, proxies: string[]) =>
      extension(name, ({ hooks }) => {
        hooks.onOpenStream.tap({ concerns: ({ proxy }) => proxies.includes(proxy.name) }, () => void called.push(name))
      })()
    const { calls } = await provisioned([on('a', ['x', 'y']), on('b', ['y']), on('c', ['x'])])
    await calls.openStream(opening({ name: 'x', kind: 'tcp' }))
    expect(called.splice(0)).deep.equal(['a', 'c'])
    await calls.openStream(opening({ name: 'y', kind: 'tcp' }))
    expect(called.splice(0)).deep.equal(['a', 'b'])
    await calls.openStream(opening({ name: 'x', kind: 'tcp' }))
    expect(called).deep.equal(['a', 'c'])
  })

  it('is refused when a tap throws, rejects or is late, and never rejects', async () => {
    const late = extension('late', ({ hooks }) => {
      hooks.onOpenStream.tapPromise({ timeout: 100 }, () => new Promise(() => {}))
    })
    const { calls, clock } = await provisioned([late()])
    const answer = calls.openStream(opening())
    clock.pass(100)
    expect((await answer)?.deny).match(/late in onOpenStream/)
    const broken = extension('broken', ({ hooks }) => {
      hooks.onOpenStream.tap(() => {
        throw new Error('x')
      })
    })
    expect(await (await provisioned([broken()])).calls.openStream(opening())).deep.equal({
      deny: 'a tap failed: broken in onOpenStream'
    })
  })

  it('is refused when a closed tap cannot say whether the stream concerns it, and goes on when it is open', async () => {
    const unsure = (onFailure: 'closed' | 'open') =>
      extension('unsure', ({ hooks }) => {
        const concerns = (): boolean => {
          throw new Error('x')
        }
        hooks.onOpenStream.tap({ concerns, onFailure }, () => undefined)
      })()
    const closed = await provisioned([unsure('closed')])
    expect((await closed.calls.openStream(opening()))?.deny).match(/unsure in onOpenStream/)
    const open = await provisioned([unsure('open')])
    expect(open.calls.openStream(opening())).equal(undefined)
    expect(open.kernel.inspect().hooks.onOpenStream[0]?.errors).equal(1)
  })

  it('keeps a bounded number of combinations, and still asks the right taps', async () => {
    const called: number[] = []
    const bits = Array.from({ length: 10 }, (_, bit) =>
      extension(`bit-${bit}`, ({ hooks }) => {
        hooks.onOpenStream.tap(
          { concerns: ({ proxy }) => (Number(proxy.n) & (1 << bit)) !== 0 },
          () => void called.push(bit)
        )
      })()
    )
    const { calls } = await provisioned(bits)
    for (let n = 1; n < 1024; n += 2) {
      await calls.openStream(opening({ name: 'x', kind: 'tcp', n }))
      expect(called.splice(0).reduce((sum, bit) => sum + (1 << bit), 0)).equal(n)
    }
  })
})

describe('onData', () => {
  const chunk = () => Buffer.from('hello')
  const data = (name: string, fn: (chunk: Buffer) => unknown, options = {}) =>
    extension(name, ({ hooks }) => void hooks.onData.tap(options, ((bytes: Buffer) => fn(bytes)) as never))()

  it('is undefined when no tap concerns the stream, so that the stream keeps the fast path', async () => {
    expect((await provisioned([])).calls.dataTap(stream(), 'toService')).equal(undefined)
    const { calls } = await provisioned([data('a', () => undefined, { concerns: () => false })])
    expect(calls.dataTap(stream(), 'toService')).equal(undefined)
  })

  it('hands each tap what the one before made of it', async () => {
    const { calls } = await provisioned([
      data('a', (bytes) => Buffer.from(bytes.toString().toUpperCase())),
      data('b', () => undefined),
      data('c', (bytes) => Buffer.concat([bytes, Buffer.from('!')]))
    ])
    expect(calls.dataTap(stream(), 'toService')?.(chunk()).toString()).equal('HELLO!')
  })

  it('passes the very chunk on when no tap changes it, or it was changed in place', async () => {
    const { calls } = await provisioned([data('a', (bytes) => void bytes.fill(0x78)), data('b', () => null)])
    const own = chunk()
    expect(calls.dataTap(stream(), 'toService')?.(own)).equal(own)
    expect(own.toString()).equal('xxxxx')
  })

  it('drops a chunk for an empty answer, and does not ask later taps', async () => {
    let called = 0
    const { calls } = await provisioned([data('a', () => Buffer.alloc(0)), data('b', () => void called++)])
    expect(calls.dataTap(stream(), 'toService')?.(chunk()).length).equal(0)
    expect(called).equal(0)
  })

  it('tells the direction and the stream', async () => {
    const seen: unknown[] = []
    const a = extension('a', ({ hooks }) => void hooks.onData.tap((_, context) => void seen.push(context)))
    const { calls } = await provisioned([a()])
    const one = stream()
    calls.dataTap(one, 'toService')?.(chunk())
    calls.dataTap(one, 'toVisitor')?.(chunk())
    expect(seen).deep.equal([
      { stream: one, direction: 'toService' },
      { stream: one, direction: 'toVisitor' }
    ])
  })

  it('asks once for each stream whether it concerns a tap, for both directions', async () => {
    let called = 0
    const concerns = () => {
      called++
      return true
    }
    const { calls } = await provisioned([data('a', () => undefined, { concerns })])
    const one = stream()
    calls.dataTap(one, 'toService')
    calls.dataTap(one, 'toVisitor')
    expect(called).equal(1)
    calls.dataTap(stream(), 'toService')
    expect(called).equal(2)
  })

  const wrong: Record<string, (bytes: Buffer) => unknown> = {
    throws: () => {
      throw new Error('x')
    },
    'returns a promise': async () => chunk(),
    'returns a promise that rejects': () => Promise.reject(new Error('x')),
    'returns text': () => 'hello',
    'returns bytes that are no Buffer': () => new Uint8Array(3),
    'returns true': () => true
  }
  for (const [what, fn] of Object.entries(wrong)) {
    it(`throws hook.failed by the name of the extension when a tap ${what}`, async () => {
      const { calls, kernel } = await provisioned([data('odd', (bytes) => fn(bytes))])
      const tap = calls.dataTap(stream(), 'toService')
      const error = await failure(() => tap?.(chunk()), 'hook.failed')
      expect(error.message).include('odd in onData')
      expect(kernel.inspect().hooks.onData[0]).include({ calls: 1, errors: 1 })
    })
  }

  it('passes the chunk on unchanged when the failing tap is open', async () => {
    const broken = data(
      'broken',
      () => {
        throw new Error('x')
      },
      { onFailure: 'open' }
    )
    const { calls } = await provisioned([broken])
    const own = chunk()
    expect(calls.dataTap(stream(), 'toService')?.(own)).equal(own)
  })

  it('throws at the first chunk when a closed tap cannot say whether the stream concerns it', async () => {
    const concerns = () => {
      throw new Error('x')
    }
    const { calls } = await provisioned([data('unsure', () => undefined, { concerns })])
    const tap = calls.dataTap(stream(), 'toService')
    await failure(() => tap?.(chunk()), 'hook.failed')
  })

  it('takes a promise from concerns for a failure, since it would always be true', async () => {
    const { calls } = await provisioned([data('unsure', () => undefined, { concerns: () => Promise.resolve(false) })])
    const tap = calls.dataTap(stream(), 'toService')
    await failure(() => tap?.(chunk()), 'hook.failed')
  })
})
