import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { ClientHandshake, dataLinkOpening, encode, preface } from '@rystra/protocol'
import type { Server } from '@rystra/server'
import { expect } from 'chai'
import {
  cleanUp,
  echo,
  later,
  portOf,
  readAll,
  startClient,
  startServer,
  startService,
  until,
  visit,
  visitorPort
} from './tunnel.js'

/** Sends bytes to the port for clients; resolves to all the answer when the server closes. */
const send = (server: Server, ...bytes: Uint8Array[]): Promise<Buffer> =>
  new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port: portOf(server), allowHalfOpen: true })
    const chunks: Buffer[] = []
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('close', () => resolve(Buffer.concat(chunks)))
    socket.on('end', () => socket.end())
    for (const part of bytes) socket.write(part)
    later(() => socket.destroy())
  })

const hello = (): ClientHandshake =>
  new ClientHandshake({ id: 'x', instance: 'y', agent: 'test', muxers: ['yamux'], auth: ['token'] })

const frame = (type: number, length: number): Buffer =>
  Buffer.from([type, length >> 16, (length >> 8) & 255, length & 255])

describe('a server and unauthenticated peers', () => {
  afterEach(cleanUp)

  /** A tunnel that must not notice any of it. */
  const tunnel = async (settings = {}) => {
    const server = await startServer(settings)
    const client = await startClient(portOf(server), [
      { name: 'svc', kind: 'tcp', local: `127.0.0.1:${await startService(echo)}` }
    ])
    const lost: unknown[] = []
    client.on('disconnected', (session) => lost.push(session))
    const works = async (): Promise<void> => {
      const socket = await visit(visitorPort(client, 'svc'))
      socket.end('unharmed')
      expect((await readAll(socket)).toString()).to.equal('unharmed')
      expect(lost).to.deep.equal([])
      expect(server.sessions).to.have.length(1)
    }
    return { server, client, works }
  }

  it('tells HTTP and TLS that they are wrong, and says nothing to other protocols', async () => {
    const { server, works } = await tunnel()
    const web = await send(server, Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'))
    expect(web.toString()).to.match(/^HTTP\/1\.1 400 /)
    const alert = await send(server, Buffer.from('16030100', 'hex'), randomBytes(200))
    expect(alert.toString('hex')).to.equal('1503010002020a')
    expect(await send(server, Buffer.from('SSH-2.0-x\r\n'))).to.have.length(0)
    expect(await send(server, Buffer.concat([Buffer.alloc(1), randomBytes(100_000)]))).to.have.length(0)
    await works()
  })

  it('tells a peer of another major version that it is one', async () => {
    const { server, works } = await tunnel()
    const answer = await send(server, Buffer.from([0x52, 0x59, 0x53, 9]))
    expect(answer.toString('latin1')).to.include('protocol.version')
    await works()
  })

  for (const [what, bytes] of [
    ['an oversized frame', [frame(0x01, 5000)]],
    ['a huge frame', [frame(0x01, 0xffffff)]],
    ['an unknown required type', [frame(0x7f, 1), Buffer.from([0x80])]],
    ['a message out of turn', [encode({ type: 'Heartbeat', seq: 1, time: 1 })]],
    ['a body that is no MessagePack', [frame(0x01, 4), Buffer.from('c1c1c1c1', 'hex')]],
    ['a body that claims a billion entries', [frame(0x01, 5), Buffer.from('df3b9aca00', 'hex')]],
    ['Auth before Hello', [encode({ type: 'Auth', proof: new Uint8Array(8) })]]
  ] as const) {
    it(`refuses ${what} with a code, before any peer is authenticated`, async () => {
      const { server, works } = await tunnel()
      const answer = await send(server, preface, ...bytes)
      expect(answer.toString('latin1')).to.match(/protocol\.(too-large|malformed|unexpected)/)
      await works()
    })
  }

  it('refuses a wrong proof without saying what was wrong with it', async () => {
    const { server, works } = await tunnel()
    const handshake = hello()
    const socket = net.connect({ host: '127.0.0.1', port: portOf(server) })
    later(() => socket.destroy())
    socket.write(handshake.start())
    const [ack] = await once(socket, 'data')
    expect(handshake.push(ack)?.type).to.equal('challenge')
    socket.write(handshake.prove(randomBytes(40)))
    const answer = await readAll(socket)
    expect(() => handshake.push(answer))
      .to.throw()
      .with.property('code', 'auth.refused')
    expect(answer.toString('latin1')).not.to.include('detail')
    await works()
  })

  it('refuses a proof that was overheard', async () => {
    const { server, works } = await tunnel()
    let overheard = Buffer.alloc(0)
    const hop = net
      .createServer((near) => {
        const far = net.connect(portOf(server), '127.0.0.1')
        near.on('data', (chunk: Buffer) => {
          overheard = Buffer.concat([overheard, chunk])
          far.write(chunk)
        })
        far.pipe(near)
        for (const one of [near, far]) one.on('error', () => {})
        near.on('close', () => far.destroy())
        far.on('close', () => near.destroy())
      })
      .listen(0, '127.0.0.1')
    later(() => hop.close())
    await once(hop, 'listening')
    const client = await startClient((hop.address() as net.AddressInfo).port, [], { id: 'overheard' })
    await client.stop({ drain: 0 })
    await until(() => server.sessions.length === 1)
    expect((await send(server, overheard)).toString('latin1')).to.match(/auth\.refused|protocol\.unexpected/)
    await works()
  })

  it('refuses data links of no session, and forged ones', async () => {
    const { server, works } = await tunnel()
    const [session] = server.sessions
    for (const id of ['no-such-session', session?.id ?? '']) {
      const answer = await send(server, dataLinkOpening(randomBytes(32), id, 0))
      expect(answer.toString('latin1')).to.include('auth.refused')
    }
    await works()
  })

  it('gives up a peer that sends nothing, and one that stops half-way', async () => {
    const { server, works } = await tunnel({ handshakeTimeout: 200 })
    const opening = hello().start()
    const answers = await Promise.all([
      send(server),
      send(server, opening.subarray(0, 3)),
      send(server, opening.subarray(0, 20)),
      send(server, opening)
    ])
    for (const answer of answers) expect(answer.length).to.be.lessThan(1024)
    expect(answers[3]?.toString('latin1')).to.include('protocol.timeout')
    await works()
  })

  it('serves others while thousands of handshakes are half open, in bounded memory', async () => {
    const { server, works } = await tunnel({ limits: { handshakes: 500 } })
    let refused = 0
    server.on('refused', () => {
      refused += 1
    })
    const half = hello().start().subarray(0, 30)
    const before = process.memoryUsage()
    // In batches: a listener's backlog is finite. 10,000 in all; the server holds 500 at a time.
    for (let batch = 0; batch < 20; batch += 1) {
      await Promise.all(
        Array.from({ length: 500 }, async () => {
          const socket = net.connect({ host: '127.0.0.1', port: portOf(server) })
          socket.on('error', () => {})
          later(() => socket.destroy())
          await once(socket, 'connect')
          socket.write(half)
        })
      )
      if (batch % 5 === 0) await works()
    }
    await until(() => refused >= 9000)
    await works()
    const grown = process.memoryUsage().rss - before.rss
    // Both ends of 10,000 connections live in this process.
    expect(grown).to.be.lessThan(400 * 1024 * 1024)
  })
})

describe('a server with a client that misbehaves', () => {
  afterEach(cleanUp)

  /** A client that authenticated itself and then does as it likes, on mux-direct: its link carries control messages. */
  const rogue = async (server: Server): Promise<net.Socket> => {
    const { authenticateToServer } = await import('@rystra/session')
    const { Kernel } = await import('@rystra/kernel')
    const { default: authToken } = await import('@rystra/auth-token')
    const { token } = await import('./tunnel.js')
    const kernel = new Kernel({ side: 'client' })
    await kernel.provision([authToken({ token })])
    const socket = net.connect({ host: '127.0.0.1', port: portOf(server) })
    socket.on('error', () => {})
    later(() => socket.destroy())
    await once(socket, 'connect')
    await authenticateToServer(socket, {
      offer: { id: 'rogue', instance: 'r', agent: 'rogue', muxers: ['direct'] },
      authenticators: kernel.current.registries.authenticators,
      peer: { address: '127.0.0.1', port: 0 },
      signal: new AbortController().signal
    })
    return socket
  }

  for (const [what, bytes] of [
    ['garbage', randomBytes(5000)],
    ['an oversized frame', frame(0x12, 0xffffff)],
    ['a message that is not for a server', encode({ type: 'StreamReady' })],
    ['an ack without a request', encode({ type: 'RegisterProxyAck', request: 7, address: 'x' })]
  ] as const) {
    it(`ends its session after ${what}, and no other`, async () => {
      const server = await startServer()
      const other = await startClient(portOf(server), [
        { name: 'svc', kind: 'tcp', local: `127.0.0.1:${await startService(echo)}` }
      ])
      const socket = await rogue(server)
      await until(() => server.sessions.length === 2)
      const gone = once(server, 'disconnected')
      socket.resume()
      socket.write(bytes)
      const [session, error] = await gone
      expect(session.client.id).to.equal('rogue')
      expect(error.code).to.match(/^protocol\./)
      const visitor = await visit(visitorPort(other, 'svc'))
      visitor.end('unharmed')
      expect((await readAll(visitor)).toString()).to.equal('unharmed')
    })
  }

  it('is not held up by one that asks without end and never reads', async () => {
    const server = await startServer()
    const socket = await rogue(server)
    await until(() => server.sessions.length === 1)
    const gone = once(server, 'disconnected')
    const ask = Buffer.concat(
      Array.from({ length: 1000 }, (_, request) =>
        encode({ type: 'RegisterProxy', request, spec: { name: `n${request}`, kind: 'nothing'.repeat(8) } })
      )
    )
    socket.pause()
    let over = false
    void gone.then(() => {
      over = true
    })
    while (!over) {
      if (!socket.write(ask))
        await Promise.race([once(socket, 'drain'), gone, once(socket, 'close')].map((one) => one.catch(() => {})))
      if (socket.destroyed) break
    }
    const [, error] = await gone
    expect(error.code).to.be.oneOf(['session.lost', 'proxy.limit'])
  })
})
