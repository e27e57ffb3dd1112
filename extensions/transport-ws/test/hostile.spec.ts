import { isRystraError } from '@rystra/plugin'
import { expect } from 'chai'
import { once } from 'node:events'
import net from 'node:net'
import { cleanUp, joined, later, listen, type Listening, readAll, say, turns, until } from './setup.js'
import { frame, RawPeer, request } from './raw-peer.js'

/** What unauthenticated peers may do on a link, the answer that they get, and the line in the log of this side. */
const rules: readonly (readonly [
  what: string,
  bytes: () => Buffer,
  closeCode: number,
  code: string,
  detail: RegExp
])[] = [
  ['text', () => frame('hello', { opcode: 1 }), 1003, 'protocol.malformed', /text/],
  ['a message too large', () => frame('x', { length: 5n * 2n ** 20n }), 1009, 'protocol.too-large', /more than/],
  ['a length of 2^62', () => frame('x', { length: 2n ** 62n }), 1009, 'protocol.too-large', /more than/],
  [
    'a message too large in pieces',
    () =>
      Buffer.concat([
        frame('', { fin: false }),
        ...Array.from({ length: 5 }, () => frame('x'.repeat(2 ** 20), { opcode: 0, fin: false }))
      ]),
    1009,
    'protocol.too-large',
    /more than/
  ],
  [
    'fragments without end',
    () =>
      Buffer.concat([
        frame('x', { fin: false }),
        ...Array.from({ length: 20_000 }, () => frame('x', { opcode: 0, fin: false }))
      ]),
    1008,
    'protocol.malformed',
    /fragments/
  ],
  [
    'empty fragments without end',
    () =>
      Buffer.concat([
        frame('x', { fin: false }),
        ...Array.from({ length: 20_000 }, () => frame('', { opcode: 0, fin: false }))
      ]),
    1008,
    'protocol.malformed',
    /fragments/
  ],
  ['frames without a mask', () => frame('hello', { masked: false }), 1002, 'protocol.malformed', /not masked/],
  ['reserved bits', () => frame('hello', { reserved: 4 }), 1002, 'protocol.malformed', /reserved/],
  ['an unknown opcode', () => frame('hello', { opcode: 3 }), 1002, 'protocol.malformed', /opcode 3/],
  ['an unknown control frame', () => frame('', { opcode: 11 }), 1002, 'protocol.malformed', /opcode 11/],
  ['a large ping', () => frame('x'.repeat(126), { opcode: 9 }), 1002, 'protocol.malformed', /control/],
  ['a ping in fragments', () => frame('x', { opcode: 9, fin: false }), 1002, 'protocol.malformed', /control/],
  ['a fragment of nothing', () => frame('x', { opcode: 0 }), 1002, 'protocol.malformed', /mixed/],
  [
    'a message within another',
    () => Buffer.concat([frame('x', { fin: false }), frame('y')]),
    1002,
    'protocol.malformed',
    /mixed/
  ],
  ['a close of one byte', () => frame('x', { opcode: 8 }), 1002, 'protocol.malformed', /one byte/],
  ['bytes after the end', () => Buffer.concat([frame(''), frame('x')]), 1002, 'protocol.unexpected', /after the end/],
  ['a second end', () => Buffer.concat([frame(''), frame('')]), 1002, 'protocol.unexpected', /after the end/]
]

/** A link that goes on working whatever happens next to it. */
const witness = async (listening: Listening): Promise<() => Promise<void>> => {
  const { near, far } = await joined('ws', listening)
  far.duplex.pipe(far.duplex)
  return async () => {
    near.duplex.write('still here')
    const [echo] = (await once(near.duplex, 'data')) as [Buffer]
    expect(String(echo)).to.equal('still here')
  }
}

describe('unauthenticated peers that violate the WebSocket protocol', () => {
  afterEach(cleanUp)

  for (const [what, bytes, closeCode, code, detail] of rules) {
    it(`get an error, and no other link is affected: ${what}`, async () => {
      const listening = await listen('ws')
      const others = await witness(listening)
      const peer = await RawPeer.open(listening.port)
      await until(() => listening.links.length === 2)
      const duplex = listening.links[1]?.duplex as net.Socket
      const failed = once(duplex, 'error')
      duplex.resume()
      peer.socket.write(bytes())
      const [error] = (await failed) as [Error]
      expect(isRystraError(error) && [error.code, detail.test(error.detail ?? '')], error.message).to.deep.equal([
        code,
        true
      ])
      await until(() => peer.over)
      expect(peer.closeCode).to.equal(closeCode)
      await others()
    })
  }

  it('may ask as often as they like, and read no answer, but cost nothing', async () => {
    const listening = await listen('ws')
    const others = await witness(listening)
    const peer = await RawPeer.open(listening.port)
    await until(() => listening.links.length === 2)
    const duplex = listening.links[1]?.duplex
    let came = 0
    duplex?.on('data', (chunk: Buffer) => {
      came += chunk.length
    })
    peer.socket.pause()
    const pings = Buffer.concat(Array.from({ length: 1000 }, () => frame('x'.repeat(125), { opcode: 9 })))
    for (let turn = 0; turn < 200; turn += 1) if (!peer.socket.write(pings)) await once(peer.socket, 'drain')
    peer.socket.write(frame('!'))
    await until(() => came === 1)
    let pongs = 0
    peer.socket.removeAllListeners('data').on('data', (chunk: Buffer) => {
      pongs += chunk.length
    })
    peer.socket.resume()
    duplex?.end()
    peer.socket.end(frame(''))
    await once(peer.socket, 'close')
    expect(pongs, 'bytes of pongs that waited').to.be.below(20_000_000)
    await others()
  })

  it('may close whenever they like: without an end it is no end', async () => {
    const listening = await listen('ws')
    for (const [sent, closeCode, code] of [
      [Buffer.concat([frame(Buffer.from([3, 232]), { opcode: 8 })]), 1000, 'mux.closed'],
      [Buffer.concat([frame(Buffer.from([3, 241]), { opcode: 8 })]), 1009, 'protocol.too-large'],
      [Buffer.concat([frame(Buffer.from([3, 234]), { opcode: 8 })]), 1002, 'protocol.malformed'],
      [Buffer.concat([frame(''), frame('', { opcode: 8 })]), 1000, 'mux.closed']
    ] as const) {
      const before = listening.links.length
      const peer = await RawPeer.open(listening.port)
      await until(() => listening.links.length > before)
      const duplex = listening.links[before]?.duplex as net.Socket
      const failed = once(duplex, 'error')
      duplex.resume()
      peer.socket.write(sent)
      const [error] = (await failed) as [Error]
      expect(isRystraError(error) && error.code, error.message).to.equal(code)
      await until(() => peer.over)
      expect(peer.closeCode).to.equal(closeCode)
    }
  })

  it('are cut off when they end the connection in the middle', async () => {
    const listening = await listen('ws')
    const peer = await RawPeer.open(listening.port)
    await until(() => listening.links.length === 1)
    const duplex = listening.links[0]?.duplex as net.Socket
    const failed = once(duplex, 'error')
    duplex.resume()
    peer.socket.end(frame('half of it').subarray(0, 9))
    const [error] = (await failed) as [Error]
    expect(error.message).to.match(/without a close frame/)
  })
})

describe('unauthenticated peers that request no WebSocket', () => {
  afterEach(cleanUp)

  it('have ten seconds for a request, however slowly it comes', async () => {
    const listening = await listen('ws')
    const others = await witness(listening)
    const silent = net.connect(listening.port, '127.0.0.1')
    later(() => silent.destroy())
    const slow = net.connect(listening.port, '127.0.0.1')
    later(() => slow.destroy())
    const answers = Promise.all([readAll(silent), readAll(slow)])
    slow.write(request().slice(0, -4))
    await Promise.all([once(silent, 'connect'), once(slow, 'connect')])
    for (let second = 0; second < 10; second += 1) {
      slow.write(`\r\nX-${second}: y`)
      await turns(20)
      listening.clock.advance(1000)
    }
    for (const answer of await answers) expect(answer).to.match(/^HTTP\/1\.1 408 /)
    expect(listening.lines.map(({ code }) => code)).to.deep.equal(['protocol.timeout', 'protocol.timeout'])
    await others()
  })

  it('push out the oldest of their own kind when they are too many', async () => {
    const listening = await listen('ws')
    const others = await witness(listening)
    const sockets: net.Socket[] = []
    later(() => {
      for (const socket of sockets) socket.destroy()
    })
    for (let count = 0; count < 1024; count += 1) {
      const socket = net.connect(listening.port, '127.0.0.1')
      socket.on('error', () => {})
      sockets.push(socket)
      if (count % 64 === 0) await once(socket, 'connect')
    }
    await Promise.all(sockets.map((socket) => (socket.connecting ? once(socket, 'connect') : undefined)))
    const gone = once(sockets[0] as net.Socket, 'close')
    sockets[0]?.resume()
    const { near } = await joined('ws', listening)
    expect(near.duplex.destroyed).to.equal(false)
    await gone
    expect(sockets.slice(1).filter(({ destroyed }) => destroyed)).to.have.length(0)
    await others()
  })

  it('are answered in HTTP, whatever they say', async () => {
    const listening = await listen('ws')
    const others = await witness(listening)
    expect(await say(listening.port, 'SSH-2.0-OpenSSH_9.6\r\n')).to.match(/^HTTP\/1\.1 400 /)
    expect(await say(listening.port, Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 3]))).to.match(/^HTTP\/1\.1 400 /)
    expect(await say(listening.port, `GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(17_000)}\r\n\r\n`)).to.match(
      /^HTTP\/1\.1 400 [\s\S]*headers/
    )
    expect(listening.lines.map(({ code }) => code)).to.deep.equal([
      'protocol.not-rystra',
      'protocol.not-rystra',
      'protocol.too-large'
    ])
    await others()
  })

  it('are closed when the listener closes', async () => {
    const listening = await listen('ws')
    const silent = net.connect(listening.port, '127.0.0.1')
    later(() => silent.destroy())
    await once(silent, 'connect')
    const { near } = await joined('ws', listening)
    const gone = once(silent, 'close')
    silent.resume()
    await listening.listener.close()
    await gone
    expect(near.duplex.destroyed).to.equal(false)
  })
})
