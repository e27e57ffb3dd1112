import { KEEP, rawOf, type RawReader } from '@rystra/bytes'
import { expect } from 'chai'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { WebSocket, WebSocketServer } from 'ws'
import { mask } from '../src/frame.js'
import { cleanUp, dial, joined, later, listen, readAll, turns, until } from './setup.js'
import { frame, RawPeer } from './raw-peer.js'

const opened = async (ws: WebSocket): Promise<WebSocket> => {
  later(() => ws.terminate())
  ws.on('error', () => {})
  await once(ws, 'open')
  return ws
}

describe('the frames of a link', () => {
  afterEach(cleanUp)

  it('are masked as RFC 6455 says, whatever their place in memory', () => {
    const key = Buffer.from([1, 2, 3, 250])
    for (const length of [0, 1, 3, 63, 64, 65, 100, 1000]) {
      for (const start of [0, 1, 2, 3, 5]) {
        for (const phase of [0, 1, 2, 3]) {
          const plain = randomBytes(start + length + 3)
          const expected = plain.map((byte, at) =>
            at < start || at >= start + length ? byte : byte ^ (key[(at - start + phase) & 3] as number)
          )
          mask(plain, start, start + length, key, phase)
          expect(plain.equals(expected), `${length} bytes at ${start}, phase ${phase}`).to.equal(true)
        }
      }
    }
  })

  it('are understood by a client made with ws', async () => {
    const listening = await listen('ws')
    const ws = await opened(new WebSocket(`ws://127.0.0.1:${listening.port}/rystra`, 'rystra.1'))
    await until(() => listening.links.length === 1)
    const duplex = listening.links[0]?.duplex
    duplex?.pipe(duplex)
    const sent = randomBytes(300_000)
    const came: Buffer[] = []
    ws.on('message', (data) => came.push(data as Buffer))
    ws.send(sent.subarray(0, 10), { fin: false })
    ws.send(sent.subarray(10, 100_000), { fin: true })
    ws.send(sent.subarray(100_000))
    ws.send(Buffer.alloc(0))
    const [code] = (await once(ws, 'close')) as [number]
    expect(Buffer.concat(came).equals(sent)).to.equal(true)
    expect(came.at(-1)?.length, 'the end of the other direction').to.equal(0)
    expect(code).to.equal(1000)
  })

  it('are understood by a server made with ws, and answered with pongs', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
    later(() => server.close())
    await once(server, 'listening')
    const echoed = new Promise<number>((resolve) => {
      server.on('connection', (ws, request) => {
        expect(request.headers['sec-websocket-extensions'], 'compression').to.equal(undefined)
        ws.on('message', (data) => ws.send(data as Buffer))
        ws.ping('are you there')
        let pong = ''
        ws.on('pong', (data) => {
          pong = String(data)
        })
        ws.on('close', (code) => {
          expect(pong).to.equal('are you there')
          resolve(code)
        })
      })
    })
    const { port } = server.address() as { port: number }
    const { duplex } = await dial('ws', port)
    const sent = randomBytes(3_000_000)
    const all = readAll(duplex)
    duplex.end(sent)
    expect((await all) === sent.toString('latin1')).to.equal(true)
    expect(await echoed).to.equal(1000)
  })

  it('are taken however they are cut', async () => {
    const listening = await listen('ws')
    const peer = await RawPeer.open(listening.port)
    await until(() => listening.links.length === 1)
    const all = readAll(listening.links[0]?.duplex as never)
    const bytes = Buffer.concat([
      frame('a'),
      frame('bc', { fin: false }),
      frame('', { opcode: 9 }),
      frame('', { opcode: 0, fin: false }),
      frame('x'.repeat(200), { opcode: 0 }),
      frame('y'.repeat(70_000)),
      frame('')
    ])
    peer.socket.setNoDelay()
    for (let at = 0; at < 300; at += 1) {
      peer.socket.write(bytes.subarray(at, at + 1))
      if (at % 3 === 0) await new Promise(setImmediate)
    }
    peer.socket.write(bytes.subarray(300))
    expect((await all) === `abc${'x'.repeat(200)}${'y'.repeat(70_000)}`).to.equal(true)
    expect(peer.came.subarray(0, 2).equals(Buffer.from([0x8a, 0])), 'a pong').to.equal(true)
  })

  it('give a reader what it wants and no more', async () => {
    const listening = await listen('ws')
    const { near, far } = await joined('ws', listening)
    const [from, to] = [rawOf(near.duplex), rawOf(far.duplex)]
    const came: string[] = []
    let answer: () => ReturnType<RawReader['onBytes']> = () => false
    let ended = 0
    const reader: RawReader = {
      onBytes: (buffer, start, end, shared) => {
        came.push(buffer.toString('latin1', start, end))
        const verdict = answer()
        return verdict === KEEP && shared ? true : verdict
      },
      onEnd: () => {
        ended += 1
      }
    }
    to.read(reader)
    for (const text of ['one', 'two', 'three', 'four', 'five', 'six'])
      from.write(Buffer.from(text), 0, text.length, false)
    from.end()
    await until(() => came.length === 1)
    await turns(50)
    expect(came, 'after it had enough').to.deep.equal(['one'])
    to.resume()
    expect(came).to.deep.equal(['one', 'two'])
    answer = () => {
      to.pause()
      return true
    }
    to.resume()
    expect(came, 'after a pause').to.deep.equal(['one', 'two', 'three'])
    answer = () => {
      answer = () => KEEP
      to.unread(Buffer.from('again'))
      to.resume()
      return true
    }
    to.resume()
    await until(() => ended === 1)
    expect(came).to.deep.equal(['one', 'two', 'three', 'four', 'again', 'five', 'six'])
  })

  it('carry large writes that are lent, and give their memory back', async () => {
    for (const transport of ['ws', 'wss'] as const) {
      const { near, far } = await joined(transport, await listen(transport))
      const [from, to] = [rawOf(near.duplex), rawOf(far.duplex)]
      const size = 1_500_000
      for (const [writer, reading] of [
        [from, to],
        [to, from]
      ] as const) {
        const lent = Buffer.concat([Buffer.alloc(16, 1), randomBytes(size), Buffer.alloc(4)])
        const expected = Buffer.concat([lent.subarray(16, 16 + size), lent.subarray(16, 16 + size)])
        const came: Buffer[] = []
        let length = 0
        reading.read({
          onBytes: (buffer, start, end) => {
            came.push(Buffer.from(buffer.subarray(start, end)))
            length += end - start
            return true
          },
          onEnd: () => {}
        })
        let writable = false
        writer.onWritable = () => {
          writable = true
        }
        for (let turn = 0; turn < 2; turn += 1) {
          writable = writer.write(lent, 16, 16 + size, false)
          await until(() => writable)
        }
        lent.fill(0)
        await until(() => length === 2 * size)
        expect(Buffer.concat(came).equals(expected), transport).to.equal(true)
      }
    }
  })
})
