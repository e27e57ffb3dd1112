import hookRewrite from '@rystra/hook-rewrite'
import { defineExtension, GUARD, type Hooks, OBSERVE, type OpenStreamContext } from '@rystra/plugin'
import { FilteredStream } from '@rystra/bytes'
import { expect } from 'chai'
import { once } from 'node:events'
import { Transform } from 'node:stream'
import {
  ask as askHttp,
  frontPort,
  type Mirrored,
  mirror,
  startHttpClient,
  startHttpServer,
  startHttpService
} from './http-world.js'
import {
  ask,
  cleanUp,
  echo,
  endOf,
  endOfVisit,
  makeClient,
  portOf,
  readAll,
  startClient,
  startServer,
  startService,
  svc,
  until,
  visit,
  visitorPort
} from './tunnel.js'
import { auditFile, rewriting } from './audit-world.js'

describe('hooks on one stream', () => {
  afterEach(cleanUp)

  const tunnel = async (extensions: readonly unknown[], names: readonly string[] = ['svc']) => {
    const server = await startServer({}, extensions as never)
    const service = await startService(echo)
    const client = await startClient(
      portOf(server),
      names.map((name) => svc(service, name))
    )
    return { server, client, port: (name = 'svc') => visitorPort(client, name) }
  }

  /** Says its name at the end of what goes to the service, and in front of each chunk that a tap sees. */
  const signing = (name: string, stage: number, how: 'through' | 'data') =>
    defineExtension({
      name: `sign-${name}`,
      setup({ hooks }) {
        const sign = (chunk: Buffer): Buffer => Buffer.concat([chunk, Buffer.from(`<${name}>`)])
        if (how === 'data') {
          hooks.onData.tap({ stage }, (chunk, { direction }) => (direction === 'toService' ? sign(chunk) : undefined))
        } else {
          hooks.onOpenStream.tap({ stage }, ({ through }: OpenStreamContext) => {
            through({ toService: new Transform({ transform: (chunk: Buffer, _, done) => done(null, sign(chunk)) }) })
          })
        }
      }
    })()

  it('of different packages compose in the order of the configuration', async () => {
    const [first, second] = [rewriting('first', 'cat', 'dog'), rewriting('second', 'dog', 'fox')]
    const { port } = await tunnel([first, second])
    expect(await ask(port(), 'cat dog')).to.equal('fox fox')
    const other = await tunnel([second, first])
    expect(await ask(other.port(), 'cat dog')).to.equal('dog fox')
  })

  it('go by their stage before that, and taps of onData go before transforms', async () => {
    const { audit, records } = auditFile()
    const { port, server } = await tunnel([
      audit,
      signing('late', OBSERVE, 'through'),
      rewriting('rewrite', '<early><guard>', '<both>'),
      signing('guard', GUARD, 'through'),
      signing('early', OBSERVE, 'data')
    ])
    const closed = once(server, 'streamClose')
    expect(await ask(port(), 'x')).to.equal('x<both><late>')
    await closed
    await server.stop({ drain: 0 })
    const stream = records().find(({ type }) => type === 'stream.close')
    expect(stream, 'the audit counts what came, not what was made of it').to.include({
      bytesToService: 1,
      reason: 'end'
    })
  })

  it('leave alone the streams that they do not concern: no tap, no transform, the fast path', async () => {
    const joined: string[] = []
    const joiner = defineExtension({
      name: 'joiner',
      setup({ hooks, registries }) {
        let present = ''
        hooks.onOpenStream.tap({ stage: OBSERVE }, ({ proxy }) => {
          present = proxy.name
        })
        registries.relays.add({
          name: 'joiner',
          accepts: (_visitor, service) => {
            joined.push(`${present}: ${service instanceof FilteredStream ? 'filtered' : 'as it is'}`)
            return false
          },
          join: () => undefined
        })
      }
    })
    const { audit } = auditFile()
    const rules = { proxies: ['changed'] }
    const { port, server } = await tunnel([audit, rewriting('rewrite', 'a', 'b', rules), joiner()], ['svc', 'changed'])
    let concerned: unknown = 'not asked'
    server.on('streamOpen', (stream) => {
      concerned = server.kernel.current.calls.dataTap(stream, 'toService')
    })
    expect(await ask(port('svc'), 'banana')).to.equal('banana')
    expect(concerned).to.equal(undefined)
    expect(joined).to.deep.equal(['svc: as it is'])
    expect(await ask(port('changed'), 'banana')).to.equal('bbnbnb')
    expect(joined).to.deep.equal(['svc: as it is', 'changed: filtered'])
  })

  it('change a megabyte of any bytes across all borders, both ways', async () => {
    const both = {
      // A machine that is busy for a second must not break a match.
      hold: 0,
      rules: [
        {
          bytes: [
            { direction: 'toService' as const, find: { hex: '00ff' }, replace: { hex: 'ff00ff' } },
            { direction: 'toVisitor' as const, find: { hex: 'ff00ff' }, replace: { hex: '00ff' } }
          ]
        }
      ]
    }
    const { port } = await tunnel([hookRewrite(both)])
    // No ff but in what is found, so that the way back is the way there.
    const bytes = Buffer.alloc(1_000_000)
    for (let at = 0; at < bytes.length; at += 1)
      bytes[at] = at % 5 === 4 ? 0xff : at % 5 === 3 ? 0 : 1 + ((at * 7919) % 251)
    const socket = await visit(port())
    socket.end(bytes)
    expect((await readAll(socket)).equals(bytes)).to.equal(true)
  })

  it('that hold the beginning of a match do not keep others from a reset in its middle', async () => {
    const { port, server } = await tunnel([rewriting('rewrite', 'needle', 'pin')])
    const other = await visit(port())
    other.write('fine ')
    await once(other, 'data')
    const cut = await visit(port())
    cut.write('nee')
    await until(() => server.sessions.length === 1)
    const closed = once(server, 'streamClose')
    cut.resetAndDestroy()
    const [{ reason }] = await closed
    expect(reason).to.equal('reset')
    other.end('needle')
    expect((await readAll(other)).toString()).to.equal('pin')
  })

  it('that throw as observers disturb neither the tunnel nor the audit', async () => {
    const { audit, records } = auditFile()
    const observers = [
      'onConnect',
      'onPublished',
      'onCloseStream',
      'onUnregisterProxy',
      'onRefused',
      'onDisconnect'
    ] as const
    const thrower = defineExtension({
      name: 'thrower',
      setup({ hooks }) {
        for (const hook of observers) {
          ;(hooks[hook] as Hooks['onConnect']).tap({ stage: GUARD }, () => {
            throw new Error('thrown on purpose')
          })
        }
      }
    })
    const { port, client, server } = await tunnel([thrower(), audit])
    const closed = once(server, 'streamClose')
    expect(await ask(port(), 'unharmed')).to.equal('unharmed')
    await closed
    const gone = once(server, 'disconnected')
    await client.stop({ drain: 0 })
    await gone
    await server.stop({ drain: 0 })
    expect(records().map(({ type }) => type)).to.deep.equal([
      'audit.start',
      'session.open',
      'proxy.publish',
      'stream.close',
      'proxy.unpublish',
      'session.close',
      'audit.stop'
    ])
  })

  for (const [hook, what, code] of [
    ['onHello', 'session', 'session.refused'],
    ['onAuth', 'session', 'auth.refused'],
    ['onRegisterProxy', 'proxy', 'proxy.refused'],
    ['onOpenStream', 'stream', 'stream.refused']
  ] as const) {
    it(`that throw in ${hook} refuse what it is about, with a code, and the audit says so`, async () => {
      const { audit, records } = auditFile()
      const thrower = defineExtension({
        name: 'thrower',
        setup({ hooks }) {
          ;(hooks[hook] as unknown as Hooks['onConnect']).tap({ stage: GUARD }, () => {
            throw new Error('thrown on purpose')
          })
        }
      })
      const server = await startServer({}, [audit, thrower()])
      const client = await makeClient(portOf(server), [svc(await startService(echo))])
      const refused = once(server, 'refused')
      await client.start().catch(() => undefined)
      if (hook === 'onOpenStream') expect(await endOfVisit(visitorPort(client, 'svc'))).to.equal('ECONNRESET')
      await refused
      await client.stop({ drain: 0 })
      await server.stop({ drain: 0 })
      const refusal = records().find(({ type }) => type === 'refusal')
      expect(refusal).to.include({ what, code })
      expect(String(refusal?.['detail'])).to.match(/thrower|thrown/)
    })
  }

  it('that throw in onData reset their stream and no other, with a code', async () => {
    const { audit, records } = auditFile()
    const thrower = defineExtension({
      name: 'thrower',
      setup: ({ hooks }) =>
        hooks.onData.tap((chunk) => {
          if (chunk.includes('boom')) throw new Error('thrown on purpose')
        })
    })
    const { port, server } = await tunnel([audit, rewriting('rewrite', 'needle', 'pin'), thrower()])
    const other = await visit(port())
    other.write('fine ')
    await once(other, 'data')
    const closed = once(server, 'streamClose')
    const socket = await visit(port())
    socket.write('boom')
    expect(await endOf(socket)).to.equal('ECONNRESET')
    await closed
    other.end('needle')
    expect((await readAll(other)).toString()).to.equal('pin')
    await server.stop({ drain: 0 })
    const [stream] = records().filter(({ type }) => type === 'stream.close')
    expect(stream).to.include({ reason: 'error', code: 'hook.failed' })
  })

  it('rewrite the heads of requests and responses, and an evil expression hangs no request', async () => {
    const server = await startHttpServer({}, [
      hookRewrite({
        rules: [
          {
            heads: [
              {
                on: 'request',
                remove: ['cookie'],
                set: { 'x-from': 'tunnel' },
                replace: [{ header: 'x-evil', pattern: '(a+)+$', with: 'x' }],
                target: { pattern: '^/old/', with: '/new/' }
              },
              { on: 'response', set: { 'content-type': 'text/plain' }, add: { 'x-seen': 'yes' } }
            ]
          }
        ]
      })
    ])
    const service = await startHttpService((request, response) => void mirror(request, response))
    const client = await startHttpClient(server, [
      { name: 'web', kind: 'http', host: 'app.example.org', local: `127.0.0.1:${service.port}` }
    ])
    const evil = `${'a'.repeat(10_000)}!`
    const headers = { cookie: 'a=b', 'x-evil': evil }
    const answer = await askHttp(frontPort(client), 'app.example.org', '/old/page?x=1', { headers })
    const seen = JSON.parse(answer.body) as Mirrored
    expect(answer.status).to.equal(200)
    expect(answer.headers).to.include({ 'content-type': 'text/plain', 'x-seen': 'yes' })
    expect(seen.target).to.equal('/new/page?x=1')
    expect(seen.headers).to.include({ 'x-from': 'tunnel', 'x-evil': evil }).and.not.have.property('cookie')
  })
})
