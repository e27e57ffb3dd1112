import type { RystraError } from '@rystra/plugin'
import { TurnQueue } from '@rystra/limits'
import { expect } from 'chai'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import tls from 'node:tls'
import { exchange, HandshakeWorld, readAll } from './handshake-world.js'
import { type Certificates, certificates, until } from './world.js'

let made: Certificates
let world: HandshakeWorld

/** The codes that were logged of handshakes that failed. */
const logged = (): string[] =>
  world.lines
    .filter(({ text }) => text === 'TLS handshake failed')
    .map(({ fields }) => (fields['err'] as RystraError).code)

/** A ClientHello as node:tls sends it, recorded. */
const helloOf = async (port: number): Promise<Buffer> => {
  const chunks: Buffer[] = []
  const write = (chunk: Buffer, _: string, done: () => void): void => {
    chunks.push(chunk)
    done()
  }
  const sink = new Duplex({ read() {}, write })
  const socket = tls.connect({ socket: sink, host: 'localhost', port, ALPNProtocols: ['rystra/1'] })
  socket.on('error', () => {})
  world.later(() => socket.destroy())
  await until(() => chunks.length > 0)
  return Buffer.concat(chunks)
}

describe('a server of TLS', () => {
  before(async () => {
    made = await certificates()
  })

  beforeEach(() => {
    world = new HandshakeWorld()
    world.write('ca.pem', made.ca.cert)
  })

  afterEach(() => world.end())

  it('takes what was read of a connection already', async () => {
    const { port, came, acceptor } = await world.serve(world.pair('server', made.good))
    const hello = await helloOf(port)
    expect(hello[0]).to.equal(0x16)
    const socket = await world.bare(port)
    socket.write(hello.subarray(0, 1))
    await new Promise(setImmediate)
    socket.write(hello.subarray(1))
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.subarray(0, 3)).to.deep.equal(Buffer.from([0x16, 3, 3]))
    expect(came).to.deep.equal([])
    acceptor.close()
  })

  for (const request of [
    'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    'POST /x HTTP/1.0\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
  ]) {
    it(`answers plain HTTP: ${request.slice(0, 8)}`, async () => {
      const { port, came } = await world.serve(world.pair('server', made.good))
      const socket = await world.bare(port)
      // Also when it comes in pieces, and goes on after.
      for (const char of request) socket.write(char)
      socket.write(Buffer.alloc(200_000))
      const answer = await readAll(socket)
      expect(answer).to.match(/^HTTP\/1\.1 400 Bad Request\r\n/)
      const [head = '', body = ''] = answer.split('\r\n\r\n')
      expect(head).to.include('Content-Type: text/plain').and.include(`Content-Length: ${body.length}`)
      expect(head).to.include('Connection: close')
      expect(body).to.match(/TLS port of Rystra/)
      socket.end()
      await once(socket, 'close')
      expect(logged()).to.deep.equal(['tls.not-tls'])
      expect(world.warnings()).to.deep.equal([])
      expect(came).to.deep.equal([])
    })
  }

  it('serves other clients while one has sent too little to be recognised', async () => {
    const { port, came, connections } = await world.serve(world.pair('server', made.good))
    const socket = await world.bare(port)
    socket.write('G')
    await until(() => connections[0]?.bytesRead === 1)
    await world.dial(port, { ca: 'ca.pem' })
    await until(() => came.length === 1)
    socket.end('E')
    await once(socket.resume(), 'close')
    expect(connections[0]?.destroyed).to.equal(true)
  })

  it('answers other protocols with a TLS alert', async () => {
    const { port } = await world.serve(world.pair('server', made.good))
    const socket = await world.bare(port)
    socket.write('RYS\u0001')
    const answer = await readAll(socket)
    expect([...Buffer.from(answer, 'latin1')]).to.deep.equal([0x15, 3, 3, 0, 2, 2, 10])
    expect(logged()).to.deep.equal(['tls.not-tls'])
  })

  it('closes refused connections after a second', async () => {
    const { port, connections } = await world.serve(world.pair('server', made.good))
    const socket = await world.bare(port)
    socket.write('GET / HTTP/1.1\r\n\r\n')
    await readAll(socket)
    expect(connections[0]?.destroyed).to.equal(false)
    world.clock.advance(1000)
    await until(() => connections[0]?.destroyed === true)
  })

  const refused: [string, tls.ConnectionOptions, string, RegExp][] = [
    [
      'a client of TLS 1.0',
      { minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' },
      'tls.handshake',
      /version/
    ],
    ['a client of TLS 1.2, unless that is allowed', { maxVersion: 'TLSv1.2' }, 'tls.handshake', /version/],
    ['a client that asks for another protocol', { ALPNProtocols: ['h2'] }, 'tls.handshake', /ALPN/],
    ['a client that does not trust it', { rejectUnauthorized: true }, '', /^/]
  ]
  for (const [client, options, code, says] of refused) {
    it(`refuses, or survives, ${client}`, async () => {
      const { port, came } = await world.serve(world.pair('server', made.good))
      const socket = tls.connect({ port, rejectUnauthorized: false, ALPNProtocols: ['rystra/1'], ...options })
      world.later(() => socket.destroy())
      const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
      expect(error.code).to.be.a('string')
      if (code !== '') {
        await until(() => logged().length > 0)
        expect(logged()).to.deep.equal([code])
        const line = world.lines.find(({ fields }) => 'err' in fields)
        expect((line?.fields['err'] as RystraError | undefined)?.detail).to.match(says)
      }
      // And others come.
      await world.dial(port, { ca: 'ca.pem' })
      await until(() => came.length > 0)
    })
  }

  it('takes TLS 1.2 when that is allowed, and binds to it only with the extended master secret', async () => {
    const { port, came } = await world.serve({ ...world.pair('server', made.good), minVersion: '1.2' })
    const socket = tls.connect({ port, ca: made.ca.cert, maxVersion: 'TLSv1.2', ALPNProtocols: ['rystra/1'] })
    world.later(() => socket.destroy())
    await once(socket, 'secureConnect')
    await until(() => came.length === 1)
    expect(came[0]?.facts.version).to.equal('TLSv1.2')
    const binding = socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
    expect(came[0]?.facts.binding).to.deep.equal(new Uint8Array(binding))
  })

  describe('with handshakes that do not end', () => {
    const stall = async (port: number, bytes: Buffer): Promise<Socket> => {
      const socket = await world.bare(port)
      socket.write(bytes)
      socket.resume()
      return socket
    }

    it('ends each at its deadline, whatever arrives meanwhile', async () => {
      const { port, connections } = await world.serve(world.pair('server', made.good), { handshakeTimeout: 5000 })
      const hello = await helloOf(port)
      const sockets: Socket[] = []
      for (const bytes of [Buffer.alloc(0), hello.subarray(0, 1), hello.subarray(0, 100), hello])
        sockets.push(await stall(port, bytes))
      // The last has begun its handshake, and those before it as well: only the time of peers counts.
      await once(sockets[3] as Socket, 'data')
      expect(connections).to.have.length(4)
      for (let second = 0; second < 4; second += 1) {
        world.clock.advance(1000)
        await new Promise(setImmediate)
      }
      expect(connections.map(({ destroyed }) => destroyed)).to.deep.equal([false, false, false, false])
      const closed = sockets.map((socket) => once(socket, 'close'))
      for (const socket of sockets) socket.on('end', () => socket.destroy())
      world.clock.advance(1000)
      await Promise.all(closed)
      expect(logged()).to.deep.equal(Array(4).fill('tls.handshake'))
      expect(world.warnings()).to.deep.equal([])
      await until(() => world.clock.pending === 2)
    })

    it('evicts at the limit the peer that has been silent for the longest, and honest clients complete', async () => {
      const { port, connections, came } = await world.serve(world.pair('server', made.good), { handshakes: 5 })
      const hello = await helloOf(port)
      for (let count = 0; count < 20; count += 1) {
        const socket = await stall(port, count % 2 === 0 ? hello : hello.subarray(0, count))
        socket.on('end', () => socket.destroy())
      }
      await until(() => connections.length === 20 && connections.filter(({ destroyed }) => !destroyed).length === 5)
      expect(connections.slice(0, 15).every(({ destroyed }) => destroyed)).to.equal(true)
      await world.dial(port, { ca: 'ca.pem' })
      await until(() => came.length === 1)
    })

    it('starts them in the order of their first bytes, and forgets those that close before', async () => {
      const turns: (() => void)[] = []
      const queue = new TurnQueue({ perTurn: 1, nextTurn: (fn) => turns.push(fn) })
      const { port, connections } = await world.serve(world.pair('server', made.good), {
        queue,
        handshakeTimeout: 5000
      })
      const hello = await helloOf(port)
      const silent = await stall(port, Buffer.alloc(0))
      const sockets: Socket[] = []
      const answered: number[] = []
      for (let count = 0; count < 4; count += 1) {
        const socket = await stall(port, hello)
        socket.once('data', () => answered.push(count))
        sockets.push(socket)
        await until(() => queue.size === count + 1)
      }
      world.clock.advance(4000)
      sockets[1]?.end()
      sockets[2]?.resetAndDestroy()
      await until(() => queue.size === 2)
      silent.write(hello)
      await until(() => queue.size === 3)
      world.clock.advance(60_000)
      expect(connections.filter(({ destroyed }) => destroyed)).to.have.length(2)
      for (const expected of [[0], [0, 3]]) {
        turns.shift()?.()
        await until(() => answered.length === expected.length)
        expect(answered).to.deep.equal(expected)
      }
      turns.shift()?.()
      await once(silent, 'data')
    })

    it('forgets connections that close by themselves', async () => {
      const { port } = await world.serve(world.pair('server', made.good))
      const hello = await helloOf(port)
      const pending = world.clock.pending
      for (let count = 0; count < 10; count += 1) {
        const socket = await stall(port, hello.subarray(0, count * 20))
        if (count % 2 === 0) socket.resetAndDestroy()
        else socket.end()
      }
      await until(() => world.clock.pending === pending)
    })

    it('ends them when it is closed, but no completed ones', async () => {
      const { port, acceptor, came, connections } = await world.serve(world.pair('server', made.good))
      const client = await world.dial(port, { ca: 'ca.pem' })
      await until(() => came.length === 1)
      await stall(port, Buffer.from([0x16]))
      await until(() => connections.length === 2)
      acceptor.close()
      await until(() => connections[1]?.destroyed === true)
      await exchange(client, came[0]?.socket as tls.TLSSocket)
    })
  })
})
