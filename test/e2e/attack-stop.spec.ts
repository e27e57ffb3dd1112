import { once } from 'node:events'
import { createClient } from '@rystra/client'
import type { RystraError } from '@rystra/model'
import { createServer } from '@rystra/server'
import { expect } from 'chai'
import { cuttable } from './cuttable.js'
import { rogueServer } from './rogue.js'
import {
  cleanUp,
  clientConfig,
  echo,
  freePort,
  later,
  listens,
  makeClient,
  portOf,
  preset,
  serverConfig,
  startClient,
  startServer,
  startService,
  until,
  visit,
  visitorPort
} from './tunnel.js'

const failure = (promise: Promise<unknown>): Promise<RystraError | undefined> =>
  promise.then(
    () => undefined,
    (error: RystraError) => error
  )

describe('a stop of the client', () => {
  afterEach(cleanUp)

  it('is no reason to come back: who loses the session while streams drain stays away', async () => {
    const server = await startServer()
    const hop = await cuttable(portOf(server))
    const service = await startService(echo)
    const client = await startClient(hop.port, [{ name: 'a', kind: 'tcp', local: service }], {
      reconnect: { min: 1, max: 1 }
    })
    const socket = await visit(visitorPort(client, 'a'))
    socket.write('x')
    await once(socket, 'data')
    let connected = 0
    client.on('connected', () => {
      connected += 1
    })
    const unpublished = once(server, 'unpublished')
    const stopped = client.stop({ drain: 5000 })
    await unpublished
    hop.cut()
    await stopped
    await until(() => server.sessions.length === 0)
    expect(connected).to.equal(0)
  })

  it('ends the dialing of another session while streams of the last one drain', async () => {
    const server = await startServer()
    const port = portOf(server)
    const service = await startService(echo)
    const client = await startClient(port, [{ name: 'a', kind: 'tcp', local: service }], {
      reconnect: { min: 1, max: 1 }
    })
    const socket = await visit(visitorPort(client, 'a'))
    socket.write('x')
    await once(socket, 'data')
    const closing = server.stop({ drain: 5000 })
    await once(client, 'reconnecting')
    const stopped = client.stop({ drain: 5000 })
    let tries = 0
    client.on('reconnecting', () => {
      tries += 1
    })
    await Promise.all(Array.from({ length: 20 }, () => new Promise((resolve) => setImmediate(resolve))))
    socket.destroy()
    await Promise.all([stopped, closing])
    expect(tries).to.equal(0)
    expect(client.session).to.equal(undefined)
  })

  it('while it starts ends the start, at whatever moment', async () => {
    const server = await startServer()
    for (let moment = 0; moment < 25; moment += 1) {
      const client = await makeClient(portOf(server), [{ name: `n${moment}`, kind: 'tcp', local: 1 }], {
        id: `c${moment}`
      })
      const started = failure(client.start())
      for (let turn = 0; turn < moment; turn += 1) await new Promise((resolve) => setImmediate(resolve))
      await client.stop({ drain: 0 })
      await started
      expect(client.session).to.equal(undefined)
    }
    await until(() => server.sessions.length === 0)
    expect(server.proxies).to.deep.equal([])
  })

  it('takes any number for its deadline', async () => {
    const server = await startServer()
    for (const drain of [Number.POSITIVE_INFINITY, 0.5, -1, Number.NaN, 1e12]) {
      const client = await startClient(portOf(server), [], { id: `c${drain}` })
      await client.stop({ drain })
    }
    await startClient(portOf(server), [])
    await server.stop({ drain: Number.POSITIVE_INFINITY })
  })

  it('can come from any code that is notified of its session', async () => {
    const server = await startServer()
    const client = await makeClient(portOf(server), [])
    client.once('connected', () => void client.stop({ drain: 0 }))
    await failure(client.start())
    await client.stop()
    await until(() => server.sessions.length === 0)
  })
})

describe('a start', () => {
  afterEach(cleanUp)

  it('that is asked for twice is refused the second time, and changes nothing', async () => {
    const server = await startServer()
    expect((await failure(server.start()))?.code).to.equal('kernel.state')
    const client = await startClient(portOf(server), [])
    expect((await failure(client.start()))?.code).to.equal('kernel.state')
    expect(server.listening).to.have.length(1)
    expect(client.session).not.to.equal(undefined)
    expect(server.sessions).to.have.length(1)
  })

  it('after a stop is refused, and keeps no process up', async () => {
    const client = await createClient(clientConfig(1, []), { preset })
    await client.stop()
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const before = timers()
    expect((await failure(client.start()))?.code).to.equal('kernel.state')
    expect(timers()).to.equal(before)
  })

  it('of the server that is stopped meanwhile leaves nothing that listens, at whatever moment', async () => {
    const port = await freePort()
    for (let moment = 0; moment < 8; moment += 1) {
      for (const host of ['localhost', '127.0.0.1']) {
        const server = await createServer(serverConfig({ listen: [{ transport: 'tcp', host, port }] }), { preset })
        const started = failure(server.start())
        for (let turn = 0; turn < moment; turn += 1) await new Promise((resolve) => setImmediate(resolve))
        await server.stop({ drain: 0 })
        await started
        expect(server.listening).to.deep.equal([])
        expect(await listens(port), `${host} ${moment}`).to.equal(false)
      }
    }
  })

  it('fails when the server takes the client in and then says nothing of its proxies', async () => {
    const server = await rogueServer()
    const timers: (() => void)[] = []
    // A clock that runs when the test says so.
    const clock = {
      now: () => Date.now(),
      after: (ms: number, fn: () => void) => {
        const timer = setTimeout(fn, ms).unref()
        if (ms === 60_000) timers.push(fn)
        return () => clearTimeout(timer)
      }
    }
    const client = await makeClient(
      server.port,
      [{ name: 'a', kind: 'tcp', local: 1 }],
      { muxer: 'direct', reconnect: { min: 1, max: 1, attempts: 1 } },
      [],
      { clock }
    )
    const lost = once(client, 'disconnected')
    const started = failure(client.start())
    await (await server.session()).next('RegisterProxy')
    for (const fire of timers) fire()
    const [, error] = await lost
    expect(error.code).to.equal('protocol.timeout')
    later(() => client.stop({ drain: 0 }))
    await client.stop({ drain: 0 })
    await started
  })
})
