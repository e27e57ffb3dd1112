import { SharedPorts } from '@rystra/net'
import { type Clock, isRystraError, type Link, type Listener, type StreamLink, type Transport } from '@rystra/plugin'
import { FakeClock, setUpExtension, until } from '@rystra/testkit'
import { expect } from 'chai'
import { once } from 'node:events'
import http2 from 'node:http2'
import net from 'node:net'
import transportHttp2 from '../src/index.js'

const never = new AbortController().signal
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const later: (() => unknown)[] = []

/** Deadlines are about real sockets here. */
const clock: Clock = {
  now: () => Date.now(),
  after: (ms, fn) => {
    const timer = setTimeout(fn, ms).unref()
    return () => clearTimeout(timer)
  }
}

const h2c = (
  side: 'server' | 'client',
  options: Parameters<typeof transportHttp2>[0] = {},
  at: Clock = clock
): Transport => {
  const added = setUpExtension(transportHttp2(options), side, { clock: at }).registered('transports') as Transport[]
  return added.find(({ name }) => name === 'h2c') as Transport
}

const frame = (type: number, flags: number, id: number, payload = Buffer.alloc(0)): Buffer => {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(id, 5)
  return Buffer.concat([head, payload])
}

/** `:method: GET`, `:scheme: http`, `:path: /`, from the static table of HPACK. */
const request = (id: number): Buffer => frame(1, 0x5, id, Buffer.from([0x82, 0x86, 0x84]))

const listening = async (options: Parameters<typeof transportHttp2>[0] = {}, serverClock: Clock = clock) => {
  const links: StreamLink[] = []
  const onLink = (link: Link): void => {
    if (link.kind !== 'streams') throw new Error('not a link of streams')
    link.onStream = (stream) => stream.on('error', () => {}).pipe(stream)
    links.push(link)
  }
  const at = { transport: 'h2c', host: '127.0.0.1', port: 0 }
  const listener: Listener = await h2c('server', options, serverClock).listen(at, onLink, never, new SharedPorts())
  later.push(() => listener.close())
  const to = { ...at, port: listener.address.port }
  const dial = async (fields: Record<string, unknown> = {}): Promise<StreamLink> => {
    const link = (await h2c('client', options).dial({ ...to, ...fields }, never)) as StreamLink
    later.push(() => link.destroy())
    return link
  }
  return { to, links, dial }
}

/** A peer that sends frames of its own. Resolves when the server has closed the connection. */
const attack = async (port: number, write: (socket: net.Socket) => void): Promise<void> => {
  const socket = net.connect(port, '127.0.0.1').on('error', () => {})
  later.push(() => socket.destroy())
  await once(socket, 'connect')
  socket.resume()
  socket.write(Buffer.concat([PREFACE, frame(4, 0, 0)]))
  write(socket)
  await once(socket, 'close')
}

const answers = async (link: StreamLink): Promise<void> => {
  const stream = await link.open()
  stream.on('error', () => {})
  stream.write('still there')
  const [came] = (await once(stream, 'data')) as [Buffer]
  expect(String(came)).to.equal('still there')
  stream.destroy()
}

const times = (count: number, make: (index: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, index) => make(index)))

const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  const error = await promise.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown
  )
  if (!isRystraError(error)) throw error
  return error.code
}

describe('HTTP/2 and hostile peers', () => {
  afterEach(async () => {
    for (const end of later.splice(0).reverse()) await end()
  })

  it('survive requests that are taken back in the segment that made them', async () => {
    const { to, dial } = await listening()
    const reset = (id: number): Buffer => frame(3, 0, id, Buffer.from([0, 0, 0, 8]))
    const noWindow = (id: number): Buffer => frame(8, 0, id, Buffer.alloc(4))
    await attack(to.port, (socket) =>
      socket.end(Buffer.concat([request(1), reset(1), request(3), noWindow(3), request(5), reset(5)]))
    )
    await answers(await dial())
  })

  const floods: [string, Buffer][] = [
    ['pings', times(2000, () => frame(6, 0, 0, Buffer.alloc(8)))],
    ['settings', times(2000, () => frame(4, 0, 0))],
    ['rapid resets', times(2500, (n) => Buffer.concat([request(2 * n + 1), frame(3, 0, 2 * n + 1, Buffer.alloc(4))]))],
    ['requests without a link', times(2500, (n) => request(2 * n + 1))],
    [
      'header fields without an end',
      Buffer.concat([
        frame(1, 0, 1, Buffer.from([0x82, 0x86, 0x84])),
        times(2000, () => frame(9, 0, 1, Buffer.from('\0\u0001a\u0001b', 'latin1')))
      ])
    ]
  ]
  for (const [name, bytes] of floods) {
    it(`hang up on ${name}, and no other link is affected`, async () => {
      const { to, dial } = await listening()
      const link = await dial()
      await attack(to.port, (socket) => socket.write(bytes))
      await answers(link)
    })
  }

  it('close a connection that opens no link in time, and the oldest of too many', async () => {
    const time = new FakeClock()
    const { to, dial } = await listening({ arrivalTimeout: 50 }, time)
    const closed = attack(to.port, () => {})
    await until(() => time.pending > 0, 'the connection to have its deadline')
    time.advance(50)
    await closed
    const few = await listening({ maxArrivals: 1 })
    const oldest = attack(few.to.port, () => void few.dial())
    await oldest
    await answers(await dial())
  })

  it('outlive more resets by their own side than servers of HTTP/2 take of a client', async () => {
    const { dial, links } = await listening()
    const link = await dial()
    for (let round = 0; round < 15; round += 1) {
      const streams = await Promise.all(Array.from({ length: 100 }, () => link.open()))
      for (const stream of streams) stream.on('error', () => {}).destroy()
      await until(() => links[0]?.streams === 0)
    }
    await answers(link)
  })

  it('answer other clients in short, and refuse a client at another path', async () => {
    const { to, dial } = await listening()
    expect(await codeOf(dial({ path: '/elsewhere' }))).to.equal('connect.refused')
    const session = http2.connect(`http://127.0.0.1:${to.port}`).on('error', () => {})
    later.push(() => session.destroy())
    for (const [path, status] of [
      ['/', 404],
      ['/rystra', 400]
    ] as const) {
      const stream = session.request({ ':path': path })
      const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
      expect(headers[':status']).to.equal(status)
      stream.resume()
    }
  })

  it('refuse a number that is in use, or offered', async () => {
    const { to, links } = await listening()
    const session = http2.connect(`http://127.0.0.1:${to.port}`).on('error', () => {})
    later.push(() => session.destroy())
    const ask = (verb: string, number: number): http2.ClientHttp2Stream =>
      session
        .request(
          {
            ':method': 'POST',
            ':path': '/rystra',
            rystra: verb,
            'rystra-link': 'x'.repeat(22),
            'rystra-stream': number
          },
          { endStream: false }
        )
        .on('error', () => {})
        .resume()
    await once(ask('link', 0), 'response')
    const opened = ask('open', 1)
    await once(opened, 'response')
    const offer = ask('offer', 2)
    const twice = [ask('open', 1), ask('offer', 1), ask('offer', 2), ask('open', 2)]
    await Promise.all(twice.map((stream) => new Promise((resolve) => stream.once('close', resolve))))
    expect(twice.map(({ rstCode }) => rstCode)).to.deep.equal(twice.map(() => http2.constants.NGHTTP2_REFUSED_STREAM))
    const answered = once(offer, 'response')
    expect(await links[0]?.open()).to.be.an('object')
    await answered
    expect(links[0]?.streams).to.equal(1)
  })

  for (const open of [0, 1]) {
    it(`end a link whose server takes no more requests, with ${open} streams open, so that the client dials again`, async () => {
      let session: http2.Http2Session | undefined
      let seen = 0
      const server = http2.createServer().on('stream', (stream) => {
        session = stream.session
        seen += 1
        stream.on('error', () => {}).respond({ ':status': 200, rystra: '1', 'rystra-offers': '0' })
      })
      await once(server.listen(0, '127.0.0.1'), 'listening')
      later.push(() => server.close())
      const { port } = server.address() as net.AddressInfo
      const at = new FakeClock()
      const link = (await h2c('client', {}, at).dial(
        { transport: 'h2c', host: '127.0.0.1', port },
        never
      )) as StreamLink
      // The first is the control stream.
      for (let count = 0; count < 1 + open; count += 1) (await link.open()).on('error', () => {})
      let closed: Error | undefined
      link.onClose = (error) => {
        closed = error
      }
      await until(() => seen === 2 + open)
      session?.goaway()
      await until(() => {
        if (open > 0) at.advance(2000)
        return closed !== undefined
      })
      expect(closed).to.have.property('code', 'session.lost')
    })
  }

  it('report a server of another protocol', async () => {
    const server = net.createServer((socket) => {
      socket
        .on('error', () => {})
        .resume()
        .end('HTTP/1.1 400 Bad Request\r\n\r\n')
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    later.push(() => server.close())
    const { port } = server.address() as net.AddressInfo
    const to = { transport: 'h2c', host: '127.0.0.1', port }
    expect(await codeOf(h2c('client').dial(to, never))).to.equal('connect.refused')
  })
})
