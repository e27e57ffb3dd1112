import type { StreamLink } from '@rystra/plugin'
import { expect } from 'chai'
import { once } from 'node:events'
import { issueServer, makeAuthority } from '@rystra/certificates'
import { bound, Relay } from './relay.js'
import { cleanUp, dialTo, later, type Listening, startListening, transport, until } from './ends.js'

/** What came on the streams of the links of a server, before and after anything else. */
const watch = (listening: Listening): { bytes: number; streams: number; messages: number } => {
  const seen = { bytes: 0, streams: 0, messages: 0 }
  listening.onLink = (link) => {
    link.onStream = (stream) => {
      seen.streams += 1
      stream.on('error', () => {})
      stream.on('data', (chunk: Buffer) => {
        seen.bytes += chunk.length
      })
    }
    if (link.datagrams !== undefined) {
      link.datagrams.onMessage = () => {
        seen.messages += 1
      }
    }
  }
  return seen
}

describe('a client that comes back', () => {
  afterEach(cleanUp)

  /** A client that was there before, and the network that it comes back through. */
  const returning = async (
    options: Readonly<Record<string, unknown>> = {},
    listening?: Listening,
    fields?: Readonly<Record<string, unknown>>
  ) => {
    const server = listening ?? (await startListening({ retryAbove: 64, ...options }))
    const relay = await Relay.to(server.port)
    const client = transport('client', server.dir, options)
    const trust = fields ?? server.trust
    const first = await dialTo(client, relay.port, trust)
    server.onLink = (link) => {
      link.onStream = (stream) => stream.on('error', () => {}).pipe(stream)
    }
    const stream = await first.open()
    stream.on('error', () => {})
    stream.write('x')
    // The ticket comes with what the server says first after the handshake.
    await once(stream, 'data')
    await new Promise((resolve) => setImmediate(resolve))
    const over = new Promise((resolve) => {
      first.onClose = resolve
    })
    first.close()
    expect(await over).to.equal(undefined)
    return { server, relay, client, trust }
  }

  it('is heard before it has heard anything', async () => {
    const { server, relay, client, trust } = await returning()
    const seen = watch(server)
    relay.passes = (_packet, way) => way === 'up'
    const link = await dialTo(client, relay.port, trust)
    const stream = await link.open()
    stream.write('hello')
    await until(() => seen.bytes === 5, 'the Hello')
    expect(server.links).to.have.length(2)
    relay.passes = () => true
    // and it is an ordinary link from then on
    const another = await link.open()
    another.write('and more')
    await until(() => seen.bytes === 13, 'what comes after the handshake')
  })

  it('waits for an answer the first time', async () => {
    const server = await startListening({ retryAbove: 64 })
    const relay = await Relay.to(server.port)
    relay.passes = (_packet, way) => way === 'up'
    let dialed = false
    const dialing = dialTo(transport('client', server.dir), relay.port, server.trust).then(() => {
      dialed = true
    })
    await until(() => relay.down > 0, 'the answer of the server')
    expect(dialed).to.equal(false)
    relay.passes = () => true
    await dialing
  })

  it('says no more than a Hello before the handshake is done', async () => {
    const { server, relay, client, trust } = await returning()
    const seen = watch(server)
    relay.passes = (_packet, way) => way === 'up'
    const link = await dialTo(client, relay.port, trust)
    const streams = [await link.open(), await link.open()]
    for (const stream of streams) stream.write(Buffer.alloc(40_000))
    expect(link.datagrams?.send(Buffer.from('too early'))).to.equal(false)
    await until(() => relay.sent.length > 12, 'the early packets')
    await until(() => seen.bytes > 0, 'the beginning')
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(seen.bytes).to.be.at.most(16_384)
    expect(seen.streams).to.equal(1)
    relay.passes = () => true
    await until(() => seen.bytes === 80_000, 'the rest')
    expect(seen.streams).to.equal(2)
  })

  it('gains nothing for who replays its first packets', async () => {
    const { server, relay, client, trust } = await returning({ handshakeTimeout: 700 })
    relay.sent.length = 0
    const seen = watch(server)
    const link = await dialTo(client, relay.port, trust)
    const stream = await link.open()
    stream.write('hello')
    await until(() => seen.bytes === 5, 'the Hello')
    const flight = relay.sent.slice(0, 3)
    const over = new Promise((resolve) => {
      ;(server.links.at(-1) as StreamLink).onClose = resolve
    })
    link.close()
    await over
    const before = server.links.length
    const attacker = await bound()
    later(() => attacker.close())
    let up = 0
    let down = 0
    attacker.on('message', (packet) => {
      down += packet.length
    })
    for (let turn = 0; turn < 20; turn++) {
      for (const packet of flight) {
        up += packet.length
        attacker.send(packet, server.port, '127.0.0.1')
      }
    }
    // The Hello is heard again, and nothing can follow it.
    await until(() => server.links.length > before, 'the replayed link')
    const replayed = server.links.slice(before)
    expect(replayed).to.have.length(1)
    const ended: (Error | undefined)[] = []
    for (const each of replayed) each.onClose = (error) => void ended.push(error)
    await until(() => ended.length === 1, 'the end of the replayed link')
    expect(ended[0]).to.include({ code: 'connect.unreachable' })
    expect(seen.bytes).to.be.at.most(10)
    expect(seen.messages).to.equal(0)
    expect(down).to.be.at.most(3 * up)
  })

  it('is understood by a server that has forgotten it', async () => {
    const { server, relay, client, trust } = await returning()
    await server.listener.close()
    await until(() => server.links.every(({ streams }) => streams === 0), 'the old server to be done')
    const again = await startListening({ retryAbove: 64 }, {}, {}, server.port)
    const seen = watch(again)
    const link = await dialTo(client, relay.port, trust)
    const stream = await link.open()
    stream.write('hello')
    await until(() => seen.bytes === 5, 'the Hello, after a whole handshake')
  })

  it('is not heard early where clients show certificates', async () => {
    const authority = await makeAuthority({ keyType: 'ec', commonName: 'own' })
    const pair = await issueServer(authority, { keyType: 'ec', commonName: 's', names: ['127.0.0.1'] })
    const files = { 'ca.pem': authority.cert, 'cert.pem': pair.cert, 'key.pem': pair.key }
    const listening = await startListening({}, { clientCa: 'ca.pem' }, files)
    const { server, relay, client, trust } = await returning({}, listening, { ca: 'ca.pem' })
    const seen = watch(server)
    const link = await dialTo(client, relay.port, trust)
    const stream = await link.open()
    stream.write('hello')
    await until(() => seen.bytes === 5, 'the Hello')
    const own = server.links.at(-1) as StreamLink
    expect(own.peer.tls?.version).to.equal('TLSv1.3')
  })
})
