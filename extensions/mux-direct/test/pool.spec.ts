import { until } from '@rystra/testkit'
import { type ByteLink, type MuxHost, type Muxer, type RystraError, silentLog, type StreamLink } from '@rystra/plugin'
import { expect } from 'chai'
import { once } from 'node:events'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import muxDirect from '../src/index.js'
import type { DirectOptions } from '../src/options.js'

const sockets = new Set<net.Socket>()
const muxed = new Set<StreamLink>()
const server = net.createServer({ allowHalfOpen: true })

let last: Promise<unknown> = Promise.resolve()

/** Two ends of a TCP connection; one after the other, so that they do not get mixed up. */
const joined = (): Promise<[net.Socket, net.Socket]> => {
  const both = last.then(join)
  last = both
  return both
}

const join = async (): Promise<[net.Socket, net.Socket]> => {
  const accepted = once(server, 'connection') as Promise<[net.Socket]>
  const { port } = server.address() as net.AddressInfo
  const dialed = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const [[far]] = await Promise.all([accepted, once(dialed, 'connect')])
  for (const socket of [dialed, far]) {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
  }
  return [dialed, far]
}

const linkOf = (duplex: Duplex): ByteLink => ({ kind: 'bytes', duplex, peer: { address: '127.0.0.1', port: 1 } })

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setTimeout(resolve, 1))
}

const muxerWith = (options: Partial<DirectOptions>): Muxer => {
  const added: Muxer[] = []
  const registries = { muxers: { add: (it: Muxer) => added.push(it) } }
  const defaults = { ready: 8, maxReady: 128, openTimeout: 10_000, shrinkAfter: 30_000 }
  muxDirect.definition.setup({ registries, options: { ...defaults, ...options } } as never)
  return added[0] as Muxer
}

interface World {
  readonly link: StreamLink
  /** What it requested, one number per message. */
  readonly requested: number[]
  readonly control: { near: net.Socket; far: net.Socket }
  /** Dials a link as a client does; its far end. */
  deliver(count?: number, opens?: boolean): Promise<net.Socket[]>
}

/** The server's half alone, with a client made by hand. */
const serverHalf = async (options: Partial<DirectOptions> = {}): Promise<World> => {
  const requested: number[] = []
  const host: MuxHost = {
    log: silentLog,
    links: {
      dial: () => Promise.reject(new Error('no')),
      onLink: undefined,
      request: (count) => requested.push(count),
      onRequest: undefined
    }
  }
  const [near, far] = await joined()
  far.resume()
  near.resume()
  const link = muxerWith(options).wrap(linkOf(near), 'server', host)
  muxed.add(link)
  return {
    link,
    requested,
    control: { near, far },
    deliver: async (count = 1, opens = false) => {
      const ends: net.Socket[] = []
      for (let index = 0; index < count; index += 1) {
        const [dialed, accepted] = await joined()
        host.links.onLink?.(linkOf(accepted), opens)
        ends.push(dialed)
      }
      return ends
    }
  }
}

const failure = (promise: Promise<unknown>): Promise<RystraError> =>
  promise.then(
    () => {
      throw new Error('it did not fail')
    },
    (error: RystraError) => error
  )

const sum = (numbers: number[]): number => numbers.reduce((all, one) => all + one, 0)

describe('the pool of a server without multiplexing', () => {
  before(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  after(() => void server.close())
  afterEach(() => {
    for (const link of muxed) link.destroy()
    for (const socket of sockets) socket.destroy()
    muxed.clear()
  })

  it('asks for the links that are to be ready, in one message, and takes them without asking again', async () => {
    const { link, requested, deliver } = await serverHalf({ ready: 8 })
    await until(() => requested.length > 0, 'it requested')
    expect(requested).to.deep.equal([8])
    await deliver(8)
    expect(link.streams).to.equal(0)
    const stream = await link.open()
    expect(stream).to.be.instanceOf(net.Socket)
    expect(link.streams).to.equal(1)
    await turns(3)
    expect(requested, 'one link is not worth a message').to.deep.equal([8])
    await link.open()
    await turns(3)
    expect(requested).to.deep.equal([8, 2])
  })

  it('asks for no more than the protocol allows in a message', async () => {
    const { requested } = await serverHalf({ ready: 200 })
    await until(() => requested.length > 0, 'it requested')
    expect(requested).to.deep.equal([64, 64, 64, 8])
  })

  it('hands links to those who wait, the first to the first, and grows when it runs dry', async () => {
    const { link, requested, deliver } = await serverHalf({ ready: 2, maxReady: 16 })
    const opening = Array.from({ length: 3 }, () => link.open())
    await until(() => requested.length > 0, 'it requested')
    // Doubled once for all of a turn: 4 to be ready, and 3 that wait.
    expect(sum(requested)).to.equal(7)
    const ends = await deliver(3)
    const streams = await Promise.all(opening)
    streams.forEach((stream, index) => {
      expect((stream as net.Socket).remotePort).to.equal(ends[index]?.localPort)
    })
    for (let count = 0; count < 10; count += 1) void link.open().catch(() => {})
    await turns(3)
    expect(sum(requested), 'never more than allowed, next to those who wait').to.be.at.most(3 + 10 + 16)
  })

  it('gives up a stream that gets no link in time, one that is aborted, and those that wait when it closes', async () => {
    const { link } = await serverHalf({ openTimeout: 100 })
    expect((await failure(link.open())).code).to.equal('stream.timeout')
    const controller = new AbortController()
    const opening = failure(link.open(controller.signal))
    controller.abort()
    expect((await opening).code).to.equal('stream.reset')
    expect((await failure(link.open(AbortSignal.abort()))).code).to.equal('stream.reset')
    const waiting = failure(link.open())
    link.destroy(new Error('enough'))
    expect((await waiting).code).to.equal('mux.closed')
    expect((await failure(link.open())).code).to.equal('mux.closed')
    expect(link.streams).to.equal(0)
  })

  it('never hands out a link that died, or ended, while it waited', async () => {
    const { link, deliver } = await serverHalf({ ready: 3, openTimeout: 100 })
    const [died, ended, fine] = await deliver(3)
    died?.resetAndDestroy()
    ended?.end()
    ended?.resume()
    await until(() => ended?.readableEnded === true || ended?.destroyed === true, 'the ended one was closed')
    const stream = await link.open()
    expect((stream as net.Socket).remotePort).to.equal(fine?.localPort)
    expect((await failure(link.open())).code).to.equal('stream.timeout')
  })

  it('leaves the listeners of others on a link alone', async () => {
    const { link, deliver } = await serverHalf({ ready: 1 })
    let closes = 0
    server.once('connection', (socket: net.Socket) => {
      socket.once('close', () => {
        closes += 1
      })
    })
    await deliver()
    const stream = await link.open()
    stream.destroy()
    await until(() => closes > 0, 'the other listener was called')
  })

  it('closes what a client dials beyond all measure, also where many may be ready', async () => {
    for (const options of [
      { ready: 0, maxReady: 4 },
      { ready: 10, maxReady: 1 }
    ]) {
      const { deliver } = await serverHalf(options)
      const most = Math.max(options.ready, options.maxReady) + 64
      const ends = await deliver(most + 20)
      for (const end of ends) end.resume()
      await until(() => ends.filter(({ readableEnded }) => readableEnded).length === 20, 'the surplus was closed')
      await turns(10)
      expect(ends.filter(({ readableEnded, destroyed }) => readableEnded || destroyed).length).to.equal(20)
    }
  })

  it('gives back what was not needed, down to what is to be ready, also what came unasked', async () => {
    const { link, deliver } = await serverHalf({ ready: 2, maxReady: 32, shrinkAfter: 30 })
    const opening = Array.from({ length: 5 }, () => link.open())
    const ends = await deliver(5 + 40)
    for (const end of ends) end.resume()
    await Promise.all(opening)
    const open = (): number => ends.slice(5).filter(({ readableEnded }) => !readableEnded).length
    await until(() => open() === 2, 'two are left')
    await turns(80)
    expect(open()).to.equal(2)
    expect(link.streams).to.equal(5)
  })

  it('counts streams until they are closed, and those that the client opens as well', async () => {
    const { link, deliver } = await serverHalf()
    const opened: Duplex[] = []
    link.onStream = (stream) => opened.push(stream)
    const [end] = await deliver(1, true)
    expect([opened.length, link.streams]).to.deep.equal([1, 1])
    end?.resetAndDestroy()
    await until(() => link.streams === 0, 'it was counted out')
  })

  it('resets its streams and idle links when its control stream is cut, and says why, once', async () => {
    const { link, deliver, control } = await serverHalf()
    const ends = await deliver(3)
    await link.open()
    const codes = ends.map(
      (end) =>
        new Promise((resolve) => {
          end.once('error', (error: NodeJS.ErrnoException) => resolve(error.code))
          end.resume()
        })
    )
    const closes: (Error | undefined)[] = []
    link.onClose = (error) => {
      expect(link.streams).to.equal(0)
      closes.push(error)
    }
    control.far.resetAndDestroy()
    expect(await Promise.all(codes)).to.deep.equal(['ECONNRESET', 'ECONNRESET', 'ECONNRESET'])
    await turns(5)
    expect(closes.map((error) => (error as NodeJS.ErrnoException).code)).to.deep.equal(['ECONNRESET'])
  })

  it('closes in good order: the other side gets all, and no error', async () => {
    const { link, control } = await serverHalf()
    const closes: (Error | undefined)[] = []
    link.onClose = (error) => closes.push(error)
    let came = 0
    control.far.on('data', (bytes: Buffer) => {
      came += bytes.length
    })
    control.far.once('end', () => control.far.end('last words'))
    control.near.write(Buffer.alloc(500_000))
    link.close()
    await until(() => closes.length > 0, 'it closed')
    expect([came, closes]).to.deep.equal([500_000, [undefined]])
  })

  it('is over at once on a link that was gone before', async () => {
    const [near] = await joined()
    near.destroy()
    await until(() => near.closed, 'it is gone')
    const link = muxerWith({}).wrap(linkOf(near), 'server', {
      log: silentLog,
      links: { dial: () => Promise.reject(new Error('no')), onLink: undefined, request: () => {}, onRequest: undefined }
    })
    let closes = 0
    link.onClose = () => {
      closes += 1
    }
    await until(() => closes > 0, 'it said so')
    expect((await failure(link.open())).code).to.equal('mux.closed')
  })

  it('opens no more once it goes away, and leaves open streams alone', async () => {
    const { link, deliver, requested } = await serverHalf({ ready: 2 })
    const ends = await deliver(2)
    const stream = (await link.open()) as net.Socket
    link.goAway()
    expect((await failure(link.open())).code).to.equal('mux.closed')
    const before = requested.length
    ends[0]?.write('goes on')
    const [came] = (await once(stream, 'data')) as [Buffer]
    expect(String(came)).to.equal('goes on')
    await deliver(1)
    await turns(3)
    expect(requested.length).to.equal(before)
  })
})

describe('the links of a client without multiplexing', () => {
  before(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  after(() => void server.close())
  afterEach(() => {
    for (const link of muxed) link.destroy()
    for (const socket of sockets) socket.destroy()
    muxed.clear()
  })

  const clientHalf = async (dial?: (signal: AbortSignal) => Promise<ByteLink>) => {
    const far: net.Socket[] = []
    const seen = { dials: 0, most: 0, now: 0 }
    const host: MuxHost = {
      log: silentLog,
      links: {
        dial: async (signal) => {
          seen.dials += 1
          seen.now += 1
          seen.most = Math.max(seen.most, seen.now)
          try {
            if (dial !== undefined) return await dial(signal)
            const [dialed, accepted] = await joined()
            far.push(accepted)
            return linkOf(dialed)
          } finally {
            seen.now -= 1
          }
        },
        onLink: undefined,
        request: () => {},
        onRequest: undefined
      }
    }
    const [near, control] = await joined()
    near.resume()
    control.resume()
    const link = muxerWith({}).wrap(linkOf(near), 'client', host)
    muxed.add(link)
    const streams: Duplex[] = []
    link.onStream = (stream) => streams.push(stream)
    return { link, far, seen, streams, ask: (count: number) => host.links.onRequest?.(count), control }
  }

  it('become streams with the first byte, and vanish with an end before it', async () => {
    const { link, far, streams, ask } = await clientHalf()
    ask(3)
    await until(() => far.length === 3, 'they were dialed')
    await turns(5)
    expect(link.streams).to.equal(0)
    far[0]?.write('OpenStream')
    await until(() => streams.length === 1, 'the stream came')
    expect(String(streams[0]?.read())).to.equal('OpenStream')
    expect(link.streams).to.equal(1)
    far[1]?.end()
    far[1]?.resume()
    await until(() => far[1]?.readableEnded === true, 'the idle one was closed')
    far[2]?.resetAndDestroy()
    await turns(5)
    expect(streams.length).to.equal(1)
  })

  it('are dialed in bounded numbers, whatever the server asks', async () => {
    const { seen, ask, link } = await clientHalf(
      (signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('given up')), { once: true })
        })
    )
    for (let count = 0; count < 1000; count += 1) ask(64)
    expect([seen.dials, seen.most]).to.deep.equal([256, 256])
    link.destroy()
    await until(() => seen.now === 0, 'all were given up')
    expect(seen.dials).to.equal(256)
  })

  it('are all tried, also when the first fail', async () => {
    const { seen, ask } = await clientHalf(() => Promise.reject(new Error('no descriptors')))
    for (let count = 0; count < 5; count += 1) ask(64)
    await until(() => seen.dials === 320, 'all were tried')
    await turns(5)
    expect(seen.dials).to.equal(320)
  })

  it('are reset when the link is over, and none is dialed any more', async () => {
    const { link, far, ask, seen } = await clientHalf()
    ask(2)
    await until(() => far.length === 2, 'they were dialed')
    await turns(3)
    link.close()
    ask(5)
    expect(seen.dials).to.equal(2)
    expect((await failure(link.open())).code).to.equal('mux.closed')
  })

  it('are given up with their stream', async () => {
    const { link, seen } = await clientHalf(
      (signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('given up')), { once: true })
        })
    )
    const controller = new AbortController()
    const opening = link.open(controller.signal).catch((error: Error) => error.message)
    controller.abort()
    expect(await opening).to.equal('given up')
    const other = link.open().catch((error: Error) => error.message)
    link.destroy()
    expect(await other).to.equal('given up')
    expect(seen.now).to.equal(0)
  })
})
