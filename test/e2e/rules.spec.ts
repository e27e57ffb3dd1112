import { once } from 'node:events'
import type { Client } from '@rystra/client'
import authToken from '@rystra/auth-token'
import hookAcl from '@rystra/hook-acl'
import hookRate from '@rystra/hook-rate'
import proxyPrivate from '@rystra/proxy-private'
import { defineExtension, GUARD, type RefusedContext } from '@rystra/plugin'
import type { Server } from '@rystra/server'
import { expect } from 'chai'
import { ask as askHttp, frontPort, mirror, startHttpClient, startHttpServer, startHttpService } from './http-world.js'
import { carriers, db, join, serve, toDb, wayIn } from './private-tunnel.js'
import {
  ask,
  cleanUp,
  echo,
  endOfVisit,
  makeClient,
  otherToken,
  portOf,
  serverConfig,
  startClient,
  startServer,
  startService,
  svc,
  visit,
  visitorPort
} from './tunnel.js'

/** Keeps what `onRefused` tells. */
const witness = () => {
  const refused: RefusedContext[] = []
  const use = defineExtension({
    name: 'witness',
    setup({ hooks }) {
      hooks.onRefused.tap((context) => void refused.push(context))
    }
  })
  return { refused, use: use() }
}

/** Why a client cannot start, and the client. */
const failure = async (client: Client): Promise<string> => {
  try {
    await client.start()
  } catch (error) {
    return (error as { code: string }).code
  }
  return 'it started'
}

const settings = { tokens: [{ identity: 'home', token: 'a-token-for-tests-0123456789' }] }

describe('onRefused', () => {
  afterEach(cleanUp)

  it('tells of sessions, proxies and streams that were refused, at the end that knows', async () => {
    const here = witness()
    const there = witness()
    const shut = defineExtension({
      name: 'shut',
      setup({ hooks }) {
        hooks.onOpenStream.tap({ stage: GUARD }, () => ({ deny: 'shut' }))
        hooks.onRegisterProxy.tap(({ name }) => (name === 'bad' ? { deny: 'a bad name' } : undefined))
      }
    })
    const server = await startServer({}, [shut(), here.use])
    expect(await failure(await makeClient(portOf(server), [], { token: 'not-a-token-of-this-server' }))).equal(
      'auth.refused'
    )
    const client = await startClient(portOf(server), [svc(1), svc(1, 'bad')], {}, [there.use])
    expect(await endOfVisit(visitorPort(client, 'svc'))).equal('ECONNRESET')

    expect(here.refused.map(({ what, error, side }) => `${side} ${what} ${error.code}`)).deep.equal([
      'server session auth.refused',
      'server proxy proxy.refused',
      'server stream stream.refused'
    ])
    const [session, proxy, stream] = here.refused
    expect(session?.peer?.address).equal('127.0.0.1')
    expect(proxy?.proxy?.name).equal('bad')
    expect(proxy?.session?.identity.id).equal('home')
    expect(stream?.stream?.proxy.name).equal('svc')
    expect(
      there.refused.map(({ what, error, side, subject }) => `${side} ${what} ${error.code} ${subject}`)
    ).deep.equal(['client proxy proxy.refused bad'])
  })
})

describe('hook-rate in a tunnel', () => {
  afterEach(cleanUp)

  it('resets visitors that are too many, with a code, and serves those of other proxies', async () => {
    const rate = hookRate({ rules: [{ per: 'proxy', proxies: ['few'], streams: '1/h', burst: '0s' }] })
    const { refused, use } = witness()
    const server = await startServer({}, [rate, use])
    const service = await startService(echo)
    const client = await startClient(portOf(server), [svc(service, 'few'), svc(service, 'many')])
    expect(await ask(visitorPort(client, 'few'), 'first')).equal('first')
    expect(await endOfVisit(visitorPort(client, 'few'))).equal('ECONNRESET')
    expect(refused.map(({ error }) => error.code)).deep.equal(['stream.limit'])
    expect(await ask(visitorPort(client, 'many'), 'other')).equal('other')
  })

  it('slows bytes down and loses none', async () => {
    const rate = hookRate({ rules: [{ per: 'visitor', bytesToVisitor: '2MB', bytesToService: '2MB', burst: '0s' }] })
    const server = await startServer({}, [rate])
    const client = await startClient(portOf(server), [svc(await startService(echo))])
    const text = 'x'.repeat(300_000)
    const begin = performance.now()
    expect((await ask(visitorPort(client, 'svc'), text)).length).equal(text.length)
    // 64 KiB go at once, the rest at 2 MB a second: never sooner, whatever the machine does.
    expect(performance.now() - begin).greaterThan(90)
  })

  it('keeps its buckets over a reload, also with other options, and gives a rule for another subject new ones', async () => {
    const rate = (burst: string, more = {}) => hookRate({ rules: [{ per: 'visitor', streams: '1/h', burst, ...more }] })
    const first = rate('0s')
    const server = await startServer({}, [first])
    const client = await startClient(portOf(server), [svc(await startService(echo))])
    const port = visitorPort(client, 'svc')
    expect(await ask(port, 'one')).equal('one')
    await server.reload(serverConfig({ drain: 1 }, [first]))
    expect(await endOfVisit(port)).equal('ECONNRESET')
    await server.reload(serverConfig({}, [rate('1s')]))
    expect(await endOfVisit(port)).equal('ECONNRESET')
    await server.reload(serverConfig({}, [rate('1s', { kinds: ['tcp'] })]))
    expect(await ask(port, 'two')).equal('two')
  })

  it('shuts out an address that guesses tokens, tells the client to wait, and touches no session that is up', async () => {
    const rate = hookRate({
      authFailures: { free: 0, delay: '1ms', after: 3, shutOutFor: '1h', exempt: [] }
    })
    const { refused, use } = witness()
    const server = await startServer({}, [rate, use])
    const client = await startClient(portOf(server), [svc(await startService(echo))])
    for (let guess = 0; guess < 3; guess += 1) {
      const guesser = await makeClient(portOf(server), [], { token: `not-a-token-of-this-server-${guess}` })
      expect(await failure(guesser)).equal('auth.refused')
    }
    const late = await makeClient(portOf(server), [], { token: 'a-token-for-tests-0123456789', id: 'late' })
    const waits = once(late, 'reconnecting')
    void late.start().catch(() => {})
    const [{ error }] = (await waits) as [{ error: { code: string; retryable: boolean } }]
    expect(error).include({ code: 'session.limit', retryable: true })
    expect(refused.at(-1)?.error.detail).match(/too many failed/)
    expect(await ask(visitorPort(client, 'svc'), 'still here')).equal('still here')
  })

  it('is asked last about nothing: a tap before it that throws, hangs or denies has its own clear end', async () => {
    const broken = defineExtension({
      name: 'broken',
      setup({ hooks }) {
        hooks.onOpenStream.tap({ stage: GUARD - 1, concerns: ({ proxy }) => proxy.name === 'throws' }, () => {
          throw new Error('broken')
        })
        hooks.onOpenStream.tapPromise(
          { stage: GUARD - 1, timeout: 20, concerns: ({ proxy }) => proxy.name === 'hangs' },
          () => new Promise(() => {})
        )
      }
    })
    const { refused, use } = witness()
    const rate = hookRate({ rules: [{ per: 'total', streams: '2/h', burst: '1h' }] })
    const server = await startServer({}, [broken(), rate, use])
    const service = await startService(echo)
    const client = await startClient(
      portOf(server),
      ['throws', 'hangs', 'well'].map((name) => svc(service, name))
    )
    expect(await endOfVisit(visitorPort(client, 'throws'))).equal('ECONNRESET')
    expect(await endOfVisit(visitorPort(client, 'hangs'))).equal('ECONNRESET')
    expect(refused.map(({ error }) => error.code)).deep.equal(['stream.refused', 'stream.refused'])
    // What never got to hook-rate cost nothing.
    expect(await ask(visitorPort(client, 'well'), 'a')).equal('a')
    expect(await ask(visitorPort(client, 'well'), 'b')).equal('b')
    expect(await endOfVisit(visitorPort(client, 'well'))).equal('ECONNRESET')
  })
})

describe('rules about HTTP', () => {
  afterEach(cleanUp)

  const statuses = async (
    extension: ReturnType<typeof hookRate>,
    times: number
  ): Promise<[number, string | undefined][]> => {
    const server = await startHttpServer({ baseDomain: 'localhost' }, [extension])
    const { port } = await startHttpService(mirror)
    const client = await startHttpClient(server, [
      { name: 'web', kind: 'http', local: `127.0.0.1:${port}`, subdomain: 'x' }
    ])
    const answers: [number, string | undefined][] = []
    for (let time = 0; time < times; time += 1) {
      const { status, headers } = await askHttp(frontPort(client), 'x.localhost')
      answers.push([status, headers['retry-after']])
    }
    return answers
  }

  it('refuse requests with 429 and the time after which to try again', async () => {
    const rate = hookRate({ rules: [{ per: 'visitor', requests: '2/h', burst: '1h' }] })
    const [first, second, third] = await statuses(rate, 3)
    expect([first, second]).deep.equal([
      [200, undefined],
      [200, undefined]
    ])
    expect(third?.[0]).equal(429)
    expect(Number(third?.[1])).within(1700, 1800)
  })

  it('refuse visitors of other networks with 403', async () => {
    const acl = hookAcl({ rules: [{ visitors: ['10.0.0.0/8'] }] } as never)
    expect(await statuses(acl, 1)).deep.equal([[403, undefined]])
  })
})

describe('hook-acl in a tunnel', () => {
  afterEach(cleanUp)

  /** Ports that are likely to be free: some of those that the system gives out. */
  const freePorts = async (): Promise<[number, number, number]> => {
    const ports = [await startService(echo), await startService(echo), await startService(echo)] as const
    await cleanUp()
    return [...ports]
  }

  const published = async (server: Server, client: Client): Promise<string> => {
    const [refusal] = await Promise.race([
      once(client, 'refused'),
      client.start().then(() => [undefined] as const)
    ]).catch(() => [undefined])
    return (refusal as { error?: { detail?: string } } | undefined)?.error?.detail ?? String(server.proxies.length)
  }

  it('gives a tenant a free port out of its range, and no other port', async () => {
    const [own, foreign] = await freePorts()
    const acl = hookAcl({
      rules: [
        { identities: ['home'], ports: [own] },
        { identities: ['office'], ports: [foreign] }
      ]
    } as never)
    const server = await startServer({}, [acl])
    const service = await startService(echo)
    const client = await startClient(portOf(server), [svc(service)])
    expect(visitorPort(client, 'svc')).equal(own)
    expect(await ask(own, 'mine')).equal('mine')
    const thief = await makeClient(portOf(server), [{ ...svc(service), port: own }], { token: otherToken, id: 'thief' })
    expect(await published(server, thief)).equal(String(own))
  })

  it('answers alike for what is taken, reserved or not allowed, so that no tenant learns what another has', async () => {
    const [own, reserved, outside] = await freePorts()
    const acl = hookAcl({
      rules: [
        { identities: ['home'], ports: [own], names: ['svc', 'x', 'db'] },
        { identities: ['office'], ports: [own, `${reserved}-${reserved + 1}`], names: ['p*', 'x', 'd*'] },
        { identities: ['third'], ports: [reserved] }
      ]
    } as never)
    const server = await startServer({}, [acl, proxyPrivate])
    const service = await startService(echo)
    await startClient(
      portOf(server),
      [
        { ...svc(service), port: own },
        { name: 'x', kind: 'private', local: 1, secret: 'shared' }
      ],
      {},
      [proxyPrivate]
    )
    const other = await startClient(portOf(server), [], { token: otherToken, id: 'other' }, [proxyPrivate])
    const answers: string[] = []
    const secret = { kind: 'private', local: 1, secret: 'shared' }
    for (const spec of [
      ...[own, reserved, outside].map((port) => ({ ...svc(service), name: `p${port}`, port })),
      ...['x', 'db', 'other'].map((name) => ({ ...secret, name }))
    ]) {
      const refused = once(other, 'refused')
      await other.publish(spec)
      const [{ error }] = await refused
      other.unpublish(spec.name)
      answers.push(error.message.replace(String('port' in spec ? spec.port : spec.name), '…'))
    }
    expect(new Set(answers.slice(0, 3)).size, answers.join('\n')).equal(1)
    expect(new Set(answers.slice(3)).size, answers.join('\n')).equal(1)
  })

  it('refuses visitors of other networks, and goes by new rules after a reload', async () => {
    const rules = (visitors: string[]) => hookAcl({ rules: [{ visitors }] } as never)
    const { refused, use } = witness()
    const server = await startServer({}, [rules(['127.0.0.0/8']), use])
    const client = await startClient(portOf(server), [svc(await startService(echo))])
    const port = visitorPort(client, 'svc')
    expect(await ask(port, 'in')).equal('in')
    await server.reload(serverConfig({}, [rules(['10.0.0.0/8']), use]))
    expect(await endOfVisit(port)).equal('ECONNRESET')
    expect(refused.at(-1)?.error.detail).match(/network/)
  })

  it('counts proxies over reloads, and lets a client come back within its quota', async () => {
    const acl = (proxies: number, deny = false) =>
      hookAcl({ rules: [{ identities: ['absent'], deny }, { quotas: { proxies } }] } as never)
    const server = await startServer({}, [acl(1)])
    const service = await startService(echo)
    const client = await startClient(portOf(server), [svc(service)])
    await server.reload(serverConfig({}, [acl(1, true)]))
    const error = await client.publish(svc(service, 'more')).then(
      () => undefined,
      (cause: { code: string }) => cause.code
    )
    expect(error).equal('proxy.refused')
    const again = await startClient(portOf(server), [svc(service)])
    expect(again.proxies.map(({ name }) => name)).deep.equal(['svc'])
  })

  it('resets a stream with a code at the daily byte quota', async () => {
    const acl = hookAcl({ rules: [{ quotas: { bytesPerDay: '100kB' } }] } as never)
    const server = await startServer({}, [acl])
    const client = await startClient(portOf(server), [svc(await startService(echo))])
    const closed = once(server, 'streamClose')
    const socket = await visit(visitorPort(client, 'svc'))
    socket.write(Buffer.alloc(200_000))
    const [{ error }] = (await closed) as [{ error?: { code: string } }]
    expect(error?.code).equal('stream.limit')
    expect(await endOfVisit(visitorPort(client, 'svc'))).equal('ECONNRESET')
  })

  it('goes by the rights of an authenticator', async () => {
    const acl = hookAcl({ rules: [{ rights: { role: 'publisher' } }] } as never)
    const tokens = (rights: object) =>
      ({
        ...serverConfig({}, [acl]),
        extensions: [authToken({ tokens: [{ ...settings.tokens[0], rights }] } as never), acl]
      }) as ReturnType<typeof serverConfig>
    const server = await startServer({}, [acl])
    await server.reload(tokens({ role: 'publisher' }))
    const client = await startClient(portOf(server), [svc(1)])
    expect(client.proxies).length(1)
    await server.reload(tokens({ role: 'reader' }))
    const reader = await makeClient(portOf(server), [svc(1)], { id: 'reader' })
    expect(await published(server, reader)).equal('no rule matches this identity')
  })

  it('tells a tenant nothing of the private proxies of another', async () => {
    const [carrier] = carriers()
    if (carrier === undefined) throw new Error('there is nothing to carry it')
    const acl = hookAcl({ tenants: { a: ['home'], b: ['office'] }, rules: [{}] } as never)
    const { refused, use } = witness()
    const server = await serve(carrier, {}, [acl, use])
    await join(carrier, server, { id: 'owner', proxies: [db(await startService(echo), { allow: ['*'] })] })
    const friend = await join(carrier, server, { id: 'friend', forwards: [toDb()] })
    expect(await ask(wayIn(friend), 'hello')).equal('hello')
    const office = { id: 'office', token: otherToken }
    const refusalOf = async (client: Client): Promise<string> => {
      const refusal = once(client, 'refused') as Promise<[{ error: { message: string } }]>
      await endOfVisit(wayIn(client))
      return (await refusal)[0].error.message
    }
    const there = await refusalOf(await join(carrier, server, { ...office, forwards: [toDb()] }))
    const nowhere = await refusalOf(
      await join(carrier, server, { ...office, id: 'other', forwards: [toDb({ of: 'nowhere' })] })
    )
    expect(there).equal(nowhere.replace('nowhere', 'db'))
    expect(refused[0]?.error.detail, 'for the log of the server').match(/another tenant/)
  })
})
