import { once } from 'node:events'
import hookAcl from '@rystra/hook-acl'
import hookRate from '@rystra/hook-rate'
import { defineExtension, GUARD } from '@rystra/plugin'
import { expect } from 'chai'
import { ask as askHttp, frontPort, mirror, startHttpClient, startHttpServer, startHttpService } from './http-world.js'
import {
  ask,
  cleanUp,
  codeOf,
  echo,
  endOfVisit,
  makeClient,
  portOf,
  serverConfig,
  startClient,
  startServer,
  startService,
  svc,
  visitorPort
} from './tunnel.js'
import { witness } from './witness.js'

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
    const guesser = await makeClient(portOf(server), [], { token: 'not-a-token-of-this-server' })
    expect(await codeOf(guesser.start())).equal('auth.refused')
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
      expect(await codeOf(guesser.start())).equal('auth.refused')
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
