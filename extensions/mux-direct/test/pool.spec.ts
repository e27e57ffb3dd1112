import { until } from '@rystra/testkit'
import { silentLog } from '@rystra/plugin'
import { expect } from 'chai'
import { once } from 'node:events'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import { server, joined, linkOf, turns, muxerWith, serverHalf, failure, sum, fixture } from './pool-world.js'

describe('the pool of a server without multiplexing', () => {
  fixture()

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

  it('tells what waits to be written, and on how many links', async () => {
    const { link, deliver } = await serverHalf({ ready: 2 })
    const [far] = (await deliver(2)) as [net.Socket, net.Socket]
    const [stream] = [await link.open(), await link.open()]
    expect(link.stats?.()).to.deep.equal({ queued: 0, blocked: 0 })
    far.pause()
    const bytes = Buffer.alloc(2 ** 24)
    stream.write(bytes)
    await turns(3)
    const { queued = 0, blocked } = link.stats?.() ?? {}
    expect([queued > 0 && queued <= bytes.length, blocked]).to.deep.equal([true, 1])
    far.resume()
    await until(() => link.stats?.().queued === 0, 'it is sent')
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

  it('never hands out a link that was reset, or ended, while it waited', async () => {
    const { link, deliver } = await serverHalf({ ready: 3, openTimeout: 100 })
    const [reset, ended, fine] = await deliver(3)
    reset?.resetAndDestroy()
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

  it('closes cleanly: the other side gets all, and no error', async () => {
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
