import { GUARD, hookNames, OBSERVE, type RystraError } from '@rystra/plugin'
import { expect } from 'chai'
import { hookTable } from '../src/index.js'
import { auth, extension, failure, hello, opening, provisioned, session, settle, spec, stream } from './fixtures.js'

const identity = { identity: { id: 'home' } }

describe('onHello', () => {
  it('goes on when nobody taps', async () => {
    const { calls } = await provisioned([])
    expect(await calls.hello(hello)).equal(undefined)
  })

  it('is refused by the first denier, and later taps are not asked', async () => {
    const asked: string[] = []
    const ask = (name: string, answer?: unknown) =>
      extension(name, ({ hooks }) => {
        hooks.onHello.tap(() => {
          asked.push(name)
          return answer as undefined
        })
      })()
    const { calls } = await provisioned([ask('a'), ask('b', { deny: 'no' }), ask('c', { deny: 'never' })])
    expect(await calls.hello(hello)).deep.equal({ deny: 'no' })
    expect(asked).deep.equal(['a', 'b'])
  })

  for (const answer of [
    true,
    false,
    0,
    'no',
    { denied: 'x' },
    { deny: 1 },
    { deny: '' },
    [],
    () => {},
    { identity: { id: 'x' } }
  ]) {
    it(`is refused when a tap answers ${JSON.stringify(answer) ?? 'a function'}, which is no answer`, async () => {
      const odd = extension('odd', ({ hooks }) => void hooks.onHello.tap(() => answer as never))
      const { calls, kernel } = await provisioned([odd()])
      expect((await calls.hello(hello))?.deny).match(/a tap failed: odd in onHello/)
      expect(kernel.inspect().hooks.onHello[0]).include({ calls: 1, errors: 1 })
    })
  }

  it('takes null for nothing, and asks on', async () => {
    const nothing = extension('nothing', ({ hooks }) => void hooks.onHello.tap(() => null as never))
    const guard = extension('guard', ({ hooks }) => void hooks.onHello.tap(() => ({ deny: 'no' })))
    const { calls } = await provisioned([nothing(), guard()])
    expect(await calls.hello(hello)).deep.equal({ deny: 'no' })
  })

  it('is refused when a tap throws, and the reason names the extension but not the error', async () => {
    const broken = extension('broken', ({ hooks }) => {
      hooks.onHello.tap(() => {
        throw new Error('secret at /home/me')
      })
    })
    const { calls, log } = await provisioned([broken()])
    expect(await calls.hello(hello)).deep.equal({ deny: 'a tap failed: broken in onHello' })
    expect(log.lines).length(1)
    expect(log.lines[0]?.fields).include({ extension: 'broken', hook: 'onHello' })
    expect((log.lines[0]?.fields.err as Error | undefined)?.message).equal('secret at /home/me')
  })

  it('is refused when an asynchronous tap rejects', async () => {
    const broken = extension(
      'broken',
      ({ hooks }) => void hooks.onHello.tapPromise(() => Promise.reject(new Error('x')))
    )
    const { calls } = await provisioned([broken()])
    expect(await calls.hello(hello)).deep.equal({ deny: 'a tap failed: broken in onHello' })
  })
})

describe('onAuth', () => {
  const answering = (answer: unknown, name = 'a') =>
    extension(name, ({ hooks }) => void hooks.onAuth.tap(() => answer as never))()

  it('is denied when nobody taps', async () => {
    const { calls } = await provisioned([])
    expect(await calls.auth(auth('token'))).deep.equal({ deny: 'nobody answers for the method "token"' })
  })

  it('is denied when nobody answers', async () => {
    const { calls } = await provisioned([answering(undefined), answering(null, 'b')])
    expect(await calls.auth(auth())).have.property('deny')
  })

  it('accepts the first identity', async () => {
    const { calls } = await provisioned([answering(undefined), answering(identity, 'b'), answering({ deny: 'x' }, 'c')])
    expect(await calls.auth(auth())).deep.equal(identity)
  })

  it('lets a guard deny before any authenticator is asked', async () => {
    const guard = extension('guard', ({ hooks }) => void hooks.onAuth.tap({ stage: GUARD }, () => ({ deny: 'banned' })))
    const { calls } = await provisioned([answering(identity), guard()])
    expect(await calls.auth(auth())).deep.equal({ deny: 'banned' })
  })

  const wrong = {
    'an identity without id': { identity: {} },
    'an empty id': { identity: { id: '' } },
    'an id that is a number': { identity: { id: 1 } },
    'no identity': { confirm: new Uint8Array(1) },
    'a bare true': true,
    'rights that are text': { identity: { id: 'x', rights: 'all' } },
    'a confirm that is text': { ...identity, confirm: 'x' },
    'a short secret': { ...identity, secret: new Uint8Array(31) }
  }
  for (const [what, answer] of Object.entries(wrong)) {
    it(`is denied when a tap answers ${what}`, async () => {
      const { calls } = await provisioned([answering(answer), answering(identity, 'later')])
      expect(await calls.auth(auth())).deep.equal({ deny: 'a tap failed: a in onAuth' })
    })
  }

  it('is denied, not accepted, when an answer says both', async () => {
    const { calls } = await provisioned([answering({ ...identity, deny: 'no' })])
    expect(await calls.auth(auth())).deep.equal({ deny: 'no' })
  })

  it('is denied when a tap throws, whoever comes later', async () => {
    const broken = extension('broken', ({ hooks }) => {
      hooks.onAuth.tap(() => {
        throw new Error('x')
      })
    })
    const { calls } = await provisioned([broken(), answering(identity)])
    expect(await calls.auth(auth())).deep.equal({ deny: 'a tap failed: broken in onAuth' })
  })

  it('is still denied when the failing tap is open, and nobody else answers', async () => {
    const broken = extension('broken', ({ hooks }) => {
      hooks.onAuth.tap({ onFailure: 'open' }, () => {
        throw new Error('x')
      })
    })
    const { calls } = await provisioned([broken()])
    expect(await calls.auth(auth())).have.property('deny')
  })

  describe('of registered authenticators', () => {
    const method = (name: string, verify?: () => unknown) =>
      extension(`auth-${name}`, ({ registries }) => {
        registries.authenticators.add({ method: name, ...(verify === undefined ? {} : { verify: verify as never }) })
      })()

    it('asks the one of the method, and counts only that', async () => {
      const { calls, kernel } = await provisioned([
        method('token', () => identity),
        method('jwt', async () => ({ identity: { id: 'jwt' } }))
      ])
      expect(await calls.auth(auth('jwt'))).deep.equal({ identity: { id: 'jwt' } })
      expect(kernel.inspect().hooks.onAuth.map(({ authenticator, calls }) => [authenticator, calls])).deep.equal([
        ['token', 0],
        ['jwt', 1]
      ])
    })

    it('denies a method that only the client half of is there', async () => {
      const { calls } = await provisioned([method('token')])
      expect(await calls.auth(auth('token'))).have.property('deny')
    })

    it('denies when it throws, rejects, or answers nothing', async () => {
      const verifiers = [
        () => {
          throw new Error('x')
        },
        () => Promise.reject(new Error('x')),
        () => undefined,
        () => Promise.resolve(true)
      ]
      for (const verify of verifiers) {
        const { calls } = await provisioned([method('token', verify)])
        expect(await calls.auth(auth('token'))).have.property('deny')
      }
    })

    it('denies when it does not answer in time', async () => {
      const { calls, clock, kernel } = await provisioned([method('token', () => new Promise(() => {}))])
      const answer = calls.auth(auth('token'))
      clock.pass(4999)
      clock.pass(1)
      expect(await answer).deep.equal({
        deny: 'a tap did not answer in time: auth-token in onAuth took longer than 5000 ms'
      })
      expect(kernel.inspect().hooks.onAuth[0]).include({ errors: 1, timeouts: 1 })
    })
  })
})

describe('onRegisterProxy', () => {
  const changing = (name: string, fn: (spec: typeof import('./fixtures.js').spec) => unknown) =>
    extension(name, ({ hooks }) => void hooks.onRegisterProxy.tap((sent) => fn(sent) as never))()

  it('uses the spec as sent when nobody taps, or nobody changes it', async () => {
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

  it('refuses this proxy with the reason, and asks nobody further', async () => {
    let asked = 0
    const { calls } = await provisioned([
      changing('a', () => ({ deny: 'not at night' })),
      changing('b', () => void asked++)
    ])
    const error = await failure(calls.registerProxy(spec, session), 'proxy.refused')
    expect(error.detail).equal('not at night')
    expect(asked).equal(0)
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
    const mine = { ...spec }
    const { calls } = await provisioned([])
    await calls.registerProxy(mine, session)
    expect(Object.isFrozen(mine)).equal(false)
  })
})

describe('onOpenStream', () => {
  it('is undefined at once, without a promise, when nobody taps or no tap concerns the stream', async () => {
    expect((await provisioned([])).calls.openStream(opening())).equal(undefined)
    const other = extension('other', ({ hooks }) => {
      hooks.onOpenStream.tap({ concerns: ({ proxy }) => proxy.name === 'web' }, () => ({ deny: 'no' }))
    })
    const { calls } = await provisioned([other()])
    expect(calls.openStream(opening())).equal(undefined)
    expect(await calls.openStream(opening({ name: 'web', kind: 'tcp' }))).deep.equal({ deny: 'no' })
  })

  it('asks only the taps that the stream concerns', async () => {
    const asked: string[] = []
    const on = (name: string, proxies: string[]) =>
      extension(name, ({ hooks }) => {
        hooks.onOpenStream.tap({ concerns: ({ proxy }) => proxies.includes(proxy.name) }, () => void asked.push(name))
      })()
    const { calls } = await provisioned([on('a', ['x', 'y']), on('b', ['y']), on('c', ['x'])])
    await calls.openStream(opening({ name: 'x', kind: 'tcp' }))
    expect(asked.splice(0)).deep.equal(['a', 'c'])
    await calls.openStream(opening({ name: 'y', kind: 'tcp' }))
    expect(asked.splice(0)).deep.equal(['a', 'b'])
    await calls.openStream(opening({ name: 'x', kind: 'tcp' }))
    expect(asked).deep.equal(['a', 'c'])
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
    const asked: number[] = []
    const bits = Array.from({ length: 10 }, (_, bit) =>
      extension(`bit-${bit}`, ({ hooks }) => {
        hooks.onOpenStream.tap(
          { concerns: ({ proxy }) => (Number(proxy.n) & (1 << bit)) !== 0 },
          () => void asked.push(bit)
        )
      })()
    )
    const { calls } = await provisioned(bits)
    for (let n = 1; n < 1024; n += 2) {
      await calls.openStream(opening({ name: 'x', kind: 'tcp', n }))
      expect(asked.splice(0).reduce((sum, bit) => sum + (1 << bit), 0)).equal(n)
    }
  })
})

describe('onData', () => {
  const chunk = () => Buffer.from('hello')
  const data = (name: string, fn: (chunk: Buffer) => unknown, options = {}) =>
    extension(name, ({ hooks }) => void hooks.onData.tap(options, ((bytes: Buffer) => fn(bytes)) as never))()

  it('is undefined when nobody taps or no tap concerns the stream, so that the stream keeps the fast path', async () => {
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

  it('passes the very chunk on when nobody changes it, or it was changed in place', async () => {
    const { calls } = await provisioned([data('a', (bytes) => void bytes.fill(0x78)), data('b', () => null)])
    const mine = chunk()
    expect(calls.dataTap(stream(), 'toService')?.(mine)).equal(mine)
    expect(mine.toString()).equal('xxxxx')
  })

  it('drops a chunk for an empty answer, and does not ask later taps', async () => {
    let asked = 0
    const { calls } = await provisioned([data('a', () => Buffer.alloc(0)), data('b', () => void asked++)])
    expect(calls.dataTap(stream(), 'toService')?.(chunk()).length).equal(0)
    expect(asked).equal(0)
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
    let asked = 0
    const concerns = () => {
      asked++
      return true
    }
    const { calls } = await provisioned([data('a', () => undefined, { concerns })])
    const one = stream()
    calls.dataTap(one, 'toService')
    calls.dataTap(one, 'toVisitor')
    expect(asked).equal(1)
    calls.dataTap(stream(), 'toService')
    expect(asked).equal(2)
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
    const mine = chunk()
    expect(calls.dataTap(stream(), 'toService')?.(mine)).equal(mine)
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

describe('observers', () => {
  const close = { ...stream(), bytesToService: 1, bytesToVisitor: 2, duration: 3, reason: 'end' as const }

  it('all run, and none can disturb the caller or the others', async () => {
    const seen: string[] = []
    const watch = (name: string, then: () => unknown) =>
      extension(name, ({ hooks }) => {
        const note = (hook: string) => {
          seen.push(`${name} ${hook}`)
          return then() as undefined
        }
        hooks.onCloseStream.tap(() => note('close'))
        hooks.onUnregisterProxy.tap(() => note('unregister'))
        hooks.onConnect.tap(() => note('connect'))
        hooks.onDisconnect.tap(() => note('disconnect'))
      })()
    const { calls, kernel, log } = await provisioned([
      watch('thrower', () => {
        throw new Error('x')
      }),
      watch('promiser', () => Promise.reject(new Error('y'))),
      watch('answerer', () => ({ deny: 'no' })),
      watch('last', () => undefined)
    ])
    calls.closeStream(close)
    calls.unregisterProxy({ session, proxy: spec, reason: 'asked' })
    calls.connect({ session, side: 'server' })
    calls.disconnect({ session, side: 'server' })
    const each = ['thrower', 'promiser', 'answerer', 'last']
    expect(seen).deep.equal(
      ['close', 'unregister', 'connect', 'disconnect'].flatMap((hook) => each.map((name) => `${name} ${hook}`))
    )
    const { hooks } = kernel.inspect()
    for (const hook of ['onCloseStream', 'onUnregisterProxy', 'onConnect', 'onDisconnect'] as const) {
      expect(hooks[hook].map(({ errors }) => errors)).deep.equal([1, 1, 0, 0])
    }
    expect(log.lines.map(({ fields }) => `${fields.extension} ${fields.hook}`)).length(8)
  })
})

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

  it('cannot end the process with a promise that is rejected and nobody waits for', async () => {
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
      calls.connect({ session, side: 'server' })
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
    const look = extension('look', ({ hooks, registries }) => {
      expect(Object.isFrozen(hooks)).equal(true)
      expect(Object.keys(hooks)).deep.equal([...hookNames])
      for (const name of hookNames) {
        expect(Object.isFrozen(hooks[name])).equal(true)
        expect(Object.keys(hooks[name])).deep.equal(['tap', 'tapPromise'])
      }
      expect(Object.isFrozen(registries)).equal(true)
    })
    await provisioned([look()])
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
