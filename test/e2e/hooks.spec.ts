import { once } from 'node:events'
import type net from 'node:net'
import { Transform } from 'node:stream'
import { defineExtension, GUARD, OBSERVE } from '@rystra/plugin'
import { expect } from 'chai'
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

describe('hooks of a running tunnel', () => {
  afterEach(cleanUp)

  it('are called in the order of a life, on both ends', async () => {
    const calls: string[] = []
    const diary = defineExtension({
      name: 'diary',
      setup({ hooks, role }) {
        const note = (what: string) => () => {
          calls.push(`${role} ${what}`)
        }
        hooks.onStart.tap(note('start'))
        hooks.onHello.tap(note('hello'))
        hooks.onAuth.tap({ stage: GUARD }, note('auth'))
        hooks.onConnect.tap(note('connect'))
        hooks.onRegisterProxy.tap(note('register'))
        hooks.onOpenStream.tap(note('open'))
        hooks.onData.tap(note('data'))
        hooks.onCloseStream.tap(note('close'))
        hooks.onPublished.tap(note('published'))
        hooks.onUnregisterProxy.tap(note('unregister'))
        hooks.onDisconnect.tap(note('disconnect'))
        hooks.onShutdown.tap(note('shutdown'))
      }
    })
    const server = await startServer({}, [diary()])
    const service = await startService((socket) => {
      socket.resume()
      socket.on('end', () => socket.end())
    })
    const client = await startClient(portOf(server), [svc(service)], {}, [diary()])
    const closed = Promise.all([once(server, 'streamClose'), once(client, 'streamClose')])
    await ask(visitorPort(client, 'svc'), 'one chunk')
    await closed
    const gone = once(server, 'disconnected')
    await client.stop({ drain: 0 })
    await gone
    await server.stop({ drain: 0 })
    const of = (role: string) => calls.filter((call) => call.startsWith(role)).map((call) => call.split(' ')[1])
    expect(of('server')).to.deep.equal([
      'start',
      'hello',
      'auth',
      'connect',
      'register',
      'published',
      'open',
      'data',
      'close',
      'unregister',
      'disconnect',
      'shutdown'
    ])
    expect(of('client')).to.deep.equal(
      ['start', 'connect', 'open', 'data', 'close', 'disconnect', 'shutdown'].sort((a, b) => {
        const order = of('client')
        return order.indexOf(a) - order.indexOf(b)
      })
    )
    expect(of('client').indexOf('open')).to.be.lessThan(of('client').indexOf('data'))
  })

  it('refuse a session at Hello, and the client stops', async () => {
    const bouncer = defineExtension({
      name: 'bouncer',
      setup: ({ hooks }) => hooks.onHello.tap(({ client }) => (client.id === 'test' ? { deny: 'not you' } : undefined))
    })
    const server = await startServer({}, [bouncer()])
    const refused = once(server, 'refused')
    const client = await makeClient(portOf(server), [])
    const error = await client.start().then(
      () => undefined,
      (thrown: unknown) => thrown
    )
    expect(error).to.include({ code: 'session.refused' })
    const [{ error: there }] = await refused
    expect(there.detail).to.equal('not you')
  })

  it('change a registration, and refuse one without touching the others', async () => {
    const policy = defineExtension({
      name: 'policy',
      setup: ({ hooks }) =>
        hooks.onRegisterProxy.tap((spec) =>
          spec.name === 'forbidden' ? { deny: 'no such thing here' } : { ...spec, port: 0 }
        )
    })
    const server = await startServer({}, [policy()])
    const service = await startService(echo)
    const client = await makeClient(portOf(server), [{ ...svc(service), port: 9 }, svc(service, 'forbidden')])
    const refused = once(client, 'refused')
    await client.start()
    const [{ name, error }] = await refused
    expect([name, error.code, error.detail]).to.deep.equal(['forbidden', 'proxy.refused', 'no such thing here'])
    expect(await ask(visitorPort(client, 'svc'), 'elsewhere')).to.equal('elsewhere')
  })

  for (const side of ['server', 'client'] as const) {
    const on = (extension: never) => ({
      server: side === 'server' ? [extension] : [],
      client: side === 'client' ? [extension] : []
    })
    const tunnel = async (extension: unknown) => {
      const { server: there, client: here } = on(extension as never)
      const server = await startServer({}, there)
      const client = await startClient(portOf(server), [svc(await startService(echo))], {}, here)
      return { server, client, port: visitorPort(client, 'svc') }
    }

    it(`refuse a stream (on the ${side})`, async () => {
      const closed = defineExtension({
        name: 'closed',
        setup: ({ hooks }) =>
          hooks.onOpenStream.tapPromise(async ({ proxy }) => ({ deny: `${proxy.name} is closed now` }))
      })
      const { server, port } = await tunnel(closed())
      const refused = once(server, 'refused')
      expect(await endOfVisit(port)).to.equal('ECONNRESET')
      const [{ what, error }] = await refused
      expect([what, error.code, error.side, error.detail]).to.deep.equal([
        'stream',
        'stream.refused',
        side,
        'svc is closed now'
      ])
    })

    it(`see and change each chunk (on the ${side})`, async () => {
      const loud = defineExtension({
        name: 'loud',
        setup: ({ hooks }) =>
          hooks.onData.tap((chunk, { direction }) =>
            direction === 'toVisitor' ? Buffer.from(chunk.toString().toUpperCase()) : undefined
          )
      })
      const { port } = await tunnel(loud())
      expect(await ask(port, 'quiet words')).to.equal('QUIET WORDS')
    })

    it(`drop, shorten and lengthen chunks (on the ${side})`, async () => {
      const filter = defineExtension({
        name: 'filter',
        setup: ({ hooks }) =>
          hooks.onData.tap((chunk, { direction }) => {
            if (direction === 'toVisitor') return Buffer.concat([chunk, chunk])
            return chunk.toString() === 'drop me' ? Buffer.alloc(0) : chunk.subarray(2)
          })
      })
      const { port } = await tunnel(filter())
      const socket = await visit(port)
      socket.write('drop me')
      await new Promise((resolve) => setImmediate(resolve))
      const answer = readAll(socket)
      socket.end('a-kept')
      expect((await answer).toString()).to.be.oneOf(['keptkept', 'op mea-keptop mea-kept'])
    })

    it(`reset only the stream whose tap throws (on the ${side})`, async () => {
      const fragile = defineExtension({
        name: 'fragile',
        setup: ({ hooks }) =>
          hooks.onData.tap((chunk) => {
            if (chunk.toString() === 'boom') throw new Error('too much')
          })
      })
      const { port, client } = await tunnel(fragile())
      const other = await visit(port)
      other.write('fine ')
      await once(other, 'data')
      const socket = await visit(port)
      socket.write('boom')
      expect(await endOf(socket)).to.equal('ECONNRESET')
      other.end('still')
      expect((await readAll(other)).toString()).to.equal('still')
      expect(client.session).not.to.equal(undefined)
    })

    it(`put transforms into the path, which may wait (on the ${side})`, async () => {
      const shift = defineExtension({
        name: 'shift',
        setup: ({ hooks }) =>
          hooks.onOpenStream.tap(({ through }) => {
            through({
              toService: new Transform({
                transform(chunk: Buffer, _encoding, done) {
                  setImmediate(done, null, Buffer.from(chunk.map((byte) => byte + 1)))
                }
              })
            })
          })
      })
      const { port } = await tunnel(shift())
      const text = 'abc'.repeat(100_000)
      expect(await ask(port, text)).to.equal('bcd'.repeat(100_000))
    })

    it(`see nothing of streams that do not concern them (on the ${side})`, async () => {
      let seen = 0
      const picky = defineExtension({
        name: 'picky',
        setup: ({ hooks }) =>
          hooks.onData.tap({ concerns: ({ proxy }) => proxy.name === 'another' }, () => {
            seen += 1
          })
      })
      const { port } = await tunnel(picky())
      await ask(port, 'unseen')
      expect(seen).to.equal(0)
    })
  }

  it('fail closed when a guard hangs', async () => {
    const hanging = defineExtension({
      name: 'hanging',
      setup: ({ hooks }) => hooks.onOpenStream.tapPromise({ timeout: 50 }, () => new Promise(() => {}))
    })
    const server = await startServer({}, [hanging()])
    const client = await startClient(portOf(server), [svc(await startService(echo))])
    const refused = once(server, 'refused')
    expect(await endOfVisit(visitorPort(client, 'svc'))).to.equal('ECONNRESET')
    const [{ error }] = await refused
    expect(error.message).to.include('hanging')
  })

  it('that take long keep no more visitors waiting than a client may have streams', async () => {
    let go: () => void = () => {}
    const gate = new Promise<void>((resolve) => {
      go = resolve
    })
    const tapped = { times: 0 }
    const slow = defineExtension({
      name: 'slow',
      setup: ({ hooks }) =>
        hooks.onOpenStream.tapPromise({ timeout: 0 }, () => {
          tapped.times += 1
          return gate
        })
    })
    const server = await startServer({ limits: { streamsPerSession: 3 } }, [slow()])
    const client = await startClient(portOf(server), [svc(await startService(echo))])
    const port = visitorPort(client, 'svc')
    const waiting = await Promise.all([visit(port), visit(port), visit(port)])
    await until(() => tapped.times === 3)
    expect(await endOfVisit(port)).to.equal('ECONNRESET')
    expect(tapped.times).to.equal(3)
    const answers = waiting.slice(0, 2).map((socket) => readAll(socket))
    // The control stream is one of the three.
    const last = endOf(waiting[2] as net.Socket)
    for (const socket of waiting) socket.end('served')
    go()
    expect((await Promise.all(answers)).map(String)).to.deep.equal(['served', 'served'])
    expect(await last).to.equal('ECONNRESET')
    expect(await ask(port, 'again')).to.equal('again')
  })

  it('of two extensions compose in their order', async () => {
    const tag = (name: string, stage: number) =>
      defineExtension({
        name,
        setup: ({ hooks }) =>
          hooks.onData.tap({ stage }, (chunk, { direction }) =>
            direction === 'toService' ? Buffer.concat([chunk, Buffer.from(`<${name}>`)]) : undefined
          )
      })
    const server = await startServer({}, [tag('late', OBSERVE)(), tag('early', GUARD)()])
    const client = await startClient(portOf(server), [svc(await startService(echo))])
    expect(await ask(visitorPort(client, 'svc'), 'x')).to.equal('x<early><late>')
  })
})
