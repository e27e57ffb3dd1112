import { once } from 'node:events'
import { FakeClock, until } from '@rystra/testkit'
import { expect } from 'chai'
import { cuttable } from './cuttable.js'
import { rogueClient } from './rogue.js'
import { cleanUp, echo, portOf, startClient, startServer, startService, visitorPort } from './tunnel.js'

const spec = (port: number, name = 'svc') => ({ name, kind: 'tcp', port })

describe('a port that changes hands', () => {
  afterEach(cleanUp)

  it('can be asked for in the very turn in which its holder goes, and the server goes on', async () => {
    const server = await startServer()
    const first = await rogueClient(server, 'first')
    const second = await rogueClient(server, 'second')
    first.say({ type: 'RegisterProxy', request: 1, spec: { name: 'a', kind: 'tcp' } })
    const { address } = await first.next('RegisterProxyAck')
    const port = Number(address?.split(':').at(-1))
    // Arrives between the end of the session and the release of its port.
    server.once('disconnected', () => second.say({ type: 'RegisterProxy', request: 2, spec: spec(port, 'b') }))
    first.socket.destroy()
    const ack = await second.next('RegisterProxyAck')
    expect(ack.error?.detail).to.equal(undefined)
    expect(ack.address).to.equal(address)
  })

  it('is given up by a dead holder after one time-out, not two', async () => {
    const clock = new FakeClock(Date.now())
    const server = await startServer({ takeoverTimeout: 400 }, [], { clock })
    const hop = await cuttable(portOf(server))
    const service = await startService(echo)
    const first = await startClient(hop.port, [{ name: 'a', kind: 'tcp', local: service }], { id: 'first' })
    const port = visitorPort(first, 'a')
    const second = await rogueClient(server, 'second')
    // A round trip: what is on its way would be taken for an answer.
    await first.publish({ name: 'other', kind: 'tcp', local: service })
    hop.swallow()
    const timers = clock.pending
    second.say({ type: 'RegisterProxy', request: 1, spec: spec(port, 'b') })
    await until(() => clock.pending > timers, 'the probe of the holder')
    // The time passes once: a second time-out would never be over.
    clock.advance(400)
    const ack = await second.next('RegisterProxyAck')
    expect(ack.error?.detail).to.equal(undefined)
    expect(ack.address).to.match(new RegExp(`:${port}$`))
    await first.stop({ drain: 0 })
  })

  it('goes to the one who is left of two that want it and fight', async () => {
    const server = await startServer()
    const [one, two] = [await rogueClient(server, 'one'), await rogueClient(server, 'two')]
    one.say({ type: 'RegisterProxy', request: 0, spec: { name: 'n', kind: 'tcp' } })
    const { address } = await one.next('RegisterProxyAck')
    const port = Number(address?.split(':').at(-1))
    for (let round = 1; round <= 50; round += 1) {
      one.say({ type: 'UnregisterProxy', name: 'n' }, { type: 'RegisterProxy', request: round, spec: spec(port, 'n') })
      two.say({ type: 'RegisterProxy', request: round, spec: spec(port, 'n') }, { type: 'UnregisterProxy', name: 'n' })
      const [a, b] = await Promise.all([one.next('RegisterProxyAck'), two.next('RegisterProxyAck')])
      // The loser is refused with a code, and never both have it at once.
      for (const { error } of [a, b]) if (error !== undefined) expect(error.code).to.match(/^proxy\.(port|name)-taken$/)
      one.say({ type: 'UnregisterProxy', name: 'n' })
    }
    const gone = once(server, 'disconnected')
    two.socket.destroy()
    await gone
    one.say({ type: 'RegisterProxy', request: 99, spec: spec(port, 'n') })
    for (;;) {
      const ack = await one.next('RegisterProxyAck')
      if (ack.request !== 99) continue
      expect(ack.address).to.equal(address)
      break
    }
  })
})

describe('a client that comes back', () => {
  afterEach(cleanUp)

  it('gets in although the server is full, when the session in its way is its own', async () => {
    const server = await startServer({ limits: { sessions: 1 } })
    const first = await rogueClient(server, 'nas')
    const second = await rogueClient(server, 'nas')
    expect(second.session).not.to.equal(first.session)
    expect((await first.next('GoAway')).error?.code).to.equal('session.replaced')
  })

  it('never finds its name or port taken by what it was, however often it is cut off', async () => {
    const server = await startServer()
    const hop = await cuttable(portOf(server))
    const service = await startService(echo)
    const client = await startClient(hop.port, [{ name: 'a', kind: 'tcp', local: service }], {
      reconnect: { min: 1, max: 2 }
    })
    const port = visitorPort(client, 'a')
    client.unpublish('a')
    await client.publish({ name: 'b', kind: 'tcp', local: service, port })
    const refusals: string[] = []
    client.on('refused', ({ error }) => refusals.push(error.code))
    for (let round = 0; round < 20; round += 1) {
      const back = once(client, 'published')
      hop.cut()
      await back
    }
    expect(refusals).to.deep.equal([])
    expect(visitorPort(client, 'b')).to.equal(port)
    expect(server.sessions.length).to.be.lessThan(3)
  })
})
