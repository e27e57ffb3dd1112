import { defineExtension, GUARD, RystraError, Type } from '@rystra/plugin'
import { expect } from 'chai'
import { auth, extension, hello, provisioned, session, spec, stream } from './fixtures.js'

const identity = { identity: { id: 'home' } }

describe('onHello', () => {
  it('goes on without a tap', async () => {
    const { calls } = await provisioned([])
    expect(await calls.hello(hello)).equal(undefined)
  })

  it('is refused by the first denier, and later taps are not called', async () => {
    const called: string[] = []
    const ask = (name: string, answer?: unknown) =>
      extension(name, ({ hooks }) => {
        hooks.onHello.tap(() => {
          called.push(name)
          return answer as undefined
        })
      })()
    const { calls } = await provisioned([ask('a'), ask('b', { deny: 'no' }), ask('c', { deny: 'never' })])
    expect(await calls.hello(hello)).deep.equal({ deny: 'no' })
    expect(called).deep.equal(['a', 'b'])
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

  it('is logged without what the options of the extension mark as secret', async () => {
    const quoting = defineExtension({
      name: 'quoting',
      options: Type.Object({ apiKey: Type.String({ secret: true }) }),
      setup({ hooks, options: { apiKey } }) {
        hooks.onHello.tap(() => {
          throw new Error(`refused: ${apiKey}`)
        })
      }
    })
    const { calls, kernel, log } = await provisioned([quoting({ apiKey: 'a-key-of-its-own' })])
    await calls.hello(hello)
    expect((log.lines[0]?.fields.err as Error | undefined)?.message).equal('refused: [redacted]')
    kernel.secretLog(log).error({ thrown: 'a-key-of-its-own' }, 'in a timer')
    expect(log.lines[1]?.fields).include({ thrown: '[redacted]' })
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

  it('asks for a further proof, whose answer is checked as well', async () => {
    const answering = (answer: unknown) =>
      extension('rounds', ({ hooks }) => {
        hooks.onAuth.tap(() => ({ challenge: Buffer.from('salt'), next: () => answer }) as never)
      })()
    const nextOf = async (answer: unknown) => {
      const { calls } = await provisioned([answering(answer)])
      const round = await calls.auth(auth())
      if (!('challenge' in round)) throw new Error('no further round')
      expect(Buffer.from(round.challenge).toString()).equal('salt')
      return round.next(Buffer.from('proof'))
    }
    expect(await nextOf(identity)).deep.equal(identity)
    expect(await nextOf(Promise.resolve({ deny: 'no' }))).deep.equal({ deny: 'no' })
    expect(await nextOf(undefined)).have.property('deny')
    expect(await nextOf({ challenge: Buffer.from('more'), next: () => identity })).have.property('next')
    const thrown = await nextOf({ identity: {} }).catch((error: Error) => error.message)
    expect(thrown).equal('it answered an identity without an id')
    for (const odd of [{ challenge: 'salt', next: () => identity }, { challenge: Buffer.from('salt') }]) {
      const { calls } = await provisioned([
        extension('odd', ({ hooks }) => void hooks.onAuth.tap(() => odd as never))()
      ])
      expect(await calls.auth(auth())).have.property('deny')
    }
  })

  it('is denied without a tap', async () => {
    const { calls } = await provisioned([])
    expect(await calls.auth(auth('token'))).deep.equal({ deny: 'no authenticator for the method "token"' })
  })

  it('is denied when no tap answers', async () => {
    const { calls } = await provisioned([answering(undefined), answering(null, 'b')])
    expect(await calls.auth(auth())).have.property('deny')
  })

  it('accepts the first identity', async () => {
    const { calls } = await provisioned([answering(undefined), answering(identity, 'b'), answering({ deny: 'x' }, 'c')])
    expect(await calls.auth(auth())).deep.equal(identity)
  })

  it('lets a guard deny before any authenticator is called', async () => {
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

  it('is denied when a tap throws, each caller comes later', async () => {
    const broken = extension('broken', ({ hooks }) => {
      hooks.onAuth.tap(() => {
        throw new Error('x')
      })
    })
    const { calls } = await provisioned([broken(), answering(identity)])
    expect(await calls.auth(auth())).deep.equal({ deny: 'a tap failed: broken in onAuth' })
  })

  it('is still denied when the failing tap is open, and no other answers', async () => {
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
        hooks.onPublished.tap(() => note('published'))
        hooks.onUnregisterProxy.tap(() => note('unregister'))
        hooks.onRefused.tap(() => note('refused'))
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
    calls.published({ session, proxy: spec, address: '203.0.113.7:20022' })
    calls.unregisterProxy({ session, proxy: spec, reason: 'asked' })
    calls.refused({ what: 'proxy', side: 'server', error: new RystraError('proxy.limit'), subject: 'web', session })
    calls.connect({ session, side: 'server', channels: {} as never })
    calls.disconnect({ session, side: 'server' })
    const each = ['thrower', 'promiser', 'answerer', 'last']
    expect(seen).deep.equal(
      ['close', 'published', 'unregister', 'refused', 'connect', 'disconnect'].flatMap((hook) =>
        each.map((name) => `${name} ${hook}`)
      )
    )
    const { hooks } = kernel.inspect()
    for (const hook of [
      'onCloseStream',
      'onPublished',
      'onUnregisterProxy',
      'onRefused',
      'onConnect',
      'onDisconnect'
    ] as const) {
      expect(hooks[hook].map(({ errors }) => errors)).deep.equal([1, 1, 0, 0])
    }
    expect(log.lines.map(({ fields }) => `${fields.extension} ${fields.hook}`)).length(12)
  })
})
