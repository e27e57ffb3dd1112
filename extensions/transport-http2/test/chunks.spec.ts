import type { StreamLink, Transport } from '@rystra/plugin'
import { FakeClock, setUpExtension, until } from '@rystra/testkit'
import { SharedPorts } from '@rystra/net'
import { expect } from 'chai'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { ChunkReader, writeChunk } from '../src/chunks.js'
import transportHttp2 from '../src/index.js'

const host = '127.0.0.1'

const started: (() => unknown)[] = []

const h2c = (side: 'server' | 'client', clock: FakeClock): Transport =>
  (setUpExtension(transportHttp2(), side, { clock }).registered('transports') as Transport[]).find(
    ({ name }) => name === 'h2c'
  ) as Transport

const listening = async (clock: FakeClock): Promise<{ port: number; links: StreamLink[] }> => {
  const links: StreamLink[] = []
  const listener = await h2c('server', clock).listen(
    { transport: 'h2c', host, port: 0 },
    (link) => {
      if (link.kind !== 'streams') throw new Error('h2c carries streams')
      // Whatever is opened comes back.
      link.onStream = (stream) => stream.on('error', () => {}).pipe(stream)
      links.push(link)
    },
    new AbortController().signal,
    new SharedPorts()
  )
  started.push(() => listener.close())
  return { port: listener.address.port, links }
}

const dial = async (port: number, clock: FakeClock): Promise<StreamLink> => {
  const link = await h2c('client', clock).dial({ transport: 'h2c', host, port }, new AbortController().signal)
  if (link.kind !== 'streams') throw new Error('h2c carries streams')
  started.push(() => link.destroy())
  return link
}

/** A proxy that speaks HTTP/2 at both sides, and what passes it. */
const proxyTo = async (port: number) => {
  const frames = { toServer: 0, toClient: 0 }
  const behind = http2.connect(`http://${host}:${port}`)
  const front = http2.createServer()
  front.on('stream', (stream, headers) => {
    const request = behind.request(headers, { endStream: false })
    for (const one of [stream, request]) one.on('error', () => {})
    stream.on('data', () => (frames.toServer += 1)).pipe(request)
    request.once('response', (answer) => {
      if (!stream.destroyed) stream.respond(answer)
      request.on('data', () => (frames.toClient += 1)).pipe(stream)
    })
  })
  front.listen(0, host)
  await once(front, 'listening')
  started.push(() => {
    behind.destroy()
    front.close()
  })
  return { frames, port: (front.address() as AddressInfo).port }
}

describe('chunks of streams over HTTP/2', () => {
  afterEach(async () => {
    for (const end of started.splice(0).reverse()) await end()
  })

  it('are read however they are cut', () => {
    const wire = new PassThrough()
    for (const text of ['', 'one', 'a longer one', '']) writeChunk(wire, Buffer.from(text), () => {})
    const bytes = wire.read() as Buffer
    for (let cut = 1; cut <= bytes.length; cut += 1) {
      const reader = new ChunkReader()
      let read = ''
      for (let at = 0; at < bytes.length; at += cut) {
        reader.read(bytes.subarray(at, at + cut), (part) => {
          read += String(part)
        })
      }
      expect([read, reader.complete], `pieces of ${cut} bytes`).to.deep.equal(['onea longer one', true])
    }
    const reader = new ChunkReader()
    reader.read(bytes.subarray(0, 6), () => {})
    expect(reader.complete).to.equal(false)
  })

  it('keep silent streams alive through a proxy that speaks HTTP/2, both ways', async () => {
    const clock = new FakeClock()
    const { port } = await listening(clock)
    const proxy = await proxyTo(port)
    const link = await dial(proxy.port, clock)
    const stream = await link.open()
    stream.on('error', () => {})
    stream.write('hello')
    expect(String((await once(stream, 'data'))[0])).to.equal('hello')
    const arrived: Buffer[] = []
    stream.on('data', (chunk: Buffer) => arrived.push(chunk))
    for (let round = 0; round < 3; round += 1) {
      const before = { ...proxy.frames }
      clock.advance(8000)
      clock.advance(8000)
      // Of the stream, and of the one on which the ends talk about the link.
      await until(
        () => proxy.frames.toServer >= before.toServer + 2 && proxy.frames.toClient >= before.toClient + 2,
        'signs of life'
      )
    }
    stream.write('again')
    await until(() => arrived.length > 0, 'the next bytes')
    expect(Buffer.concat(arrived).toString(), 'nothing but what was written').to.equal('again')
  })

  it('are not used between ends that speak to each other', async () => {
    const clock = new FakeClock()
    const { port, links } = await listening(clock)
    const link = await dial(port, clock)
    for (const one of [link, links[0]]) expect(one).to.include({ chunked: false })
  })
})
