import { settled, until } from '@rystra/testkit'
import { expect } from 'chai'
import { RpcError } from '../src/error.js'
import { duplexOf, webStreams } from '../src/session/stream-forms.js'
import { Flag, FrameType } from '../src/frame/types.js'
import type { ChannelOpener, RpcChannel } from '../src/session/port.js'
import type { RpcStream } from '../src/session/rpc-stream.js'
import { frame } from './frames.js'
import { channelPair, pair } from './pair.js'

const all = async (stream: RpcStream): Promise<unknown[]> => {
  const messages: unknown[] = []
  for await (const message of stream) messages.push(message)
  return messages
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: RpcError) => error.code
  )

describe('a stream', () => {
  it('carries messages both ways, each direction with an end of its own', async () => {
    const { left, right } = await pair()
    right.router.streamHandler({
      name: 'double',
      fn: async (_session, stream) => {
        for await (const message of stream) await stream.send((message as number) * 2)
        stream.end()
      }
    })
    const stream = left.createStream('double')
    for (const number of [1, 2, 3]) await stream.send(number)
    stream.end()
    expect(await all(stream)).to.deep.equal([2, 4, 6])
    expect(stream.closed).to.equal(true)
    expect([left.streams, right.streams]).to.deep.equal([0, 0])
  })

  it('is opened by the other side just as well, and takes bytes as they are, also many', async () => {
    const { left, right } = await pair()
    const got = new Promise<unknown[]>((resolve) =>
      left.router.streamHandler({ name: 'file', fn: async (_session, stream) => resolve(await all(stream)) })
    )
    const stream = right.createStream('file', { metadata: { 'content-type': 'text/plain' } })
    const long = Buffer.alloc(1_000_000, 'x')
    await stream.send(Buffer.from('first'))
    await stream.send(long)
    stream.end()
    const [first, second] = (await got) as [Buffer, Buffer]
    expect(first.toString()).to.equal('first')
    expect(Buffer.compare(second, long)).to.equal(0)
  })

  it('slows its sender when it is not read: what waits is bounded', async () => {
    const { left, right } = await pair()
    const opened = new Promise<RpcStream>((resolve) =>
      right.router.streamHandler({ name: 'slow', fn: (_session, stream) => resolve(stream) })
    )
    const stream = left.createStream('slow')
    const chunk = Buffer.alloc(16_384)
    let sent = 0
    let stopped = false
    const sending = (async () => {
      while (!stopped) {
        await stream.send(chunk)
        sent += 1
      }
    })()
    const before = await settled(() => sent)
    expect(sent).to.be.greaterThan(10).and.lessThan(120)
    stopped = true
    const reading = await opened
    while (sent === before) await reading.recv()
    await sending
    stream.reset()
  })

  it('waits until the other side knows the session, whose first channel it may overtake', async () => {
    const { near: local, far, left } = await pair()
    let late = (): void => {}
    const opener: ChannelOpener = {
      open: async (head) => {
        const [near, farther] = channelPair(false, {})
        const accept = (): void => far.accept(head, farther, { peer: left.remote, scope: 'late', opener })
        if (head.kind === 'calls') late = accept
        else accept()
        return near
      }
    }
    const session = local.create(left.remote, () => opener, false)
    await local.connect(session, opener)
    const stream = session.createStream('nothing')
    await new Promise((resolve) => setImmediate(resolve))
    late()
    expect(await codeOf(stream.recv())).to.equal('rpc.unknown')
  })

  it('ends with the error of its handler, with rpc.unknown without one, and with rpc.lost with its session', async () => {
    const { left, right, cut } = await pair()
    right.router.streamHandler({
      name: 'fails',
      fn: () => {
        throw new RpcError('camera.off', { message: 'no picture' })
      }
    })
    right.router.streamHandler({ name: 'waits', fn: () => {} })
    expect(await codeOf(left.createStream('fails').recv())).to.equal('camera.off')
    expect(await codeOf(left.createStream('nothing').recv())).to.equal('rpc.unknown')
    const waiting = left.createStream('waits')
    await waiting.send(1)
    const lost = codeOf(waiting.recv())
    cut()
    expect(await lost).to.equal('rpc.lost')
  })

  it('tells the other side when a reader leaves early', async () => {
    const { left, right } = await pair()
    const received = new Promise<string>((resolve) =>
      right.router.streamHandler({
        name: 'endless',
        fn: async (_session, stream) => {
          for (;;) {
            const code = await codeOf(stream.send(Buffer.alloc(1000)))
            if (code !== 'none') return resolve(code)
            await new Promise(setImmediate)
          }
        }
      })
    )
    for await (const _message of left.createStream('endless')) break
    expect(await received).to.be.oneOf(['rpc.cancelled', 'rpc.lost'])
  })
})

/** What comes on a channel, as text, until it is reset or ended. */
const textOn = ({ stream }: RpcChannel): Promise<string> =>
  new Promise((resolve) => {
    let text = ''
    stream.onClose = () => resolve(text)
    stream.read({
      onBytes: (buffer, start, end) => {
        text += buffer.toString('latin1', start, end)
        return true
      },
      onEnd: () => resolve(text)
    })
  })

const put = ({ stream }: RpcChannel, ...frames: Buffer[]): void => {
  const bytes = Buffer.concat(frames)
  stream.write(bytes, 0, bytes.length, true)
}

describe('a stream of a hostile peer', () => {
  const open = frame(FrameType.open, `0005${Buffer.from('video').toString('hex')}`, { id: 5 })

  it('that is opened without an Open is given up after some time', async () => {
    const { openStream, right } = await pair({ other: { openTimeout: 5 } })
    expect(await textOn(await openStream())).to.include('rpc.protocol')
    expect(right.streams).to.equal(0)
  })

  it('is refused when it is one too many, and everything behind its Open is ignored', async () => {
    const { openStream, right } = await pair({ other: { maxStreams: 3 } })
    right.router.streamHandler({ name: 'video', fn: () => {} })
    for (let count = 0; count < 3; count++) put(await openStream(), open)
    const fourth = await openStream()
    put(fourth, open, open, open)
    expect(await textOn(fourth)).to.include('rpc.busy')
    expect(right.streams).to.equal(3)
  })

  it('holds no more of long messages that never end than a bound for all streams', async () => {
    const { openStream, right } = await pair({ other: { maxMessageBytes: 100_000 } })
    right.router.streamHandler({ name: 'video', fn: () => {} })
    // 100,000 bytes are to come, of which there is one.
    const long = frame(FrameType.stream, '03000186a000', { flags: Flag.more, id: 5 })
    const channels = await Promise.all(Array.from({ length: 17 }, openStream))
    for (const channel of channels) put(channel, open, long)
    expect(await textOn(channels[16] as RpcChannel)).to.include('rpc.busy')
    // One that is given up makes room.
    channels[0]?.stream.reset()
    while (right.streams > 15) await new Promise(setImmediate)
    const next = await openStream()
    put(next, open, long)
    while (right.streams < 16) await new Promise(setImmediate)
    const refused = await openStream()
    put(refused, open, long)
    expect(await textOn(refused)).to.include('rpc.busy')
  })

  const broken: Record<string, Buffer[]> = {
    'another frame first': [frame(FrameType.stream, '00', { id: 5 })],
    'an Open without a name': [frame(FrameType.open, '0000', { id: 5 })],
    'an unknown mode': [frame(FrameType.open, '8001ff', { id: 5 })],
    'a second Open': [open, open],
    'a part of no message': [open, frame(FrameType.data, '00', { id: 5 })],
    'a message within another': [
      open,
      frame(FrameType.stream, '03000000ff00', { flags: Flag.more, id: 5 }),
      frame(FrameType.stream, '0300', { id: 5 })
    ],
    'a number above 2^53': [open, frame(FrameType.stream, '00ffffffffffffffff', { flags: Flag.seq, id: 5 })],
    'a time that is not a number': [open, frame(FrameType.stream, '007ff8000000000000', { flags: Flag.time, id: 5 })],
    'a frame of calls': [open, frame(FrameType.ping, '0000000000000000', { id: 5 })]
  }
  for (const [what, frames] of Object.entries(broken)) {
    it(`with ${what} is reset with rpc.protocol, and the session goes on`, async () => {
      const { openStream, left, right } = await pair()
      right.router.streamHandler({ name: 'video', fn: () => {} })
      right.router.handler({ name: 'a', fn: () => 'here' })
      const channel = await openStream()
      put(channel, ...frames)
      expect(await textOn(channel)).to.include('rpc.protocol')
      expect(await left.request('a')).to.equal('here')
      expect(right.streams).to.equal(0)
    })
  }
})

describe('a stream in another form', () => {
  it('is a Duplex of Node, and a pair of the web', async () => {
    const { left, right } = await pair()
    right.router.streamHandler({
      name: 'echo',
      fn: (_session, stream) => {
        const duplex = duplexOf(stream)
        duplex.pipe(duplex)
      }
    })
    const duplex = duplexOf(left.createStream('echo'))
    duplex.end('hello')
    expect(Buffer.concat((await duplex.toArray()) as Buffer[]).toString()).to.equal('hello')
    const { readable, writable } = webStreams(left.createStream('echo'))
    const writer = writable.getWriter()
    await writer.write(Buffer.from('web'))
    await writer.close()
    const got: unknown[] = []
    for await (const chunk of readable) got.push(String(chunk))
    expect(got).to.deep.equal(['web'])
  })
})

describe('an unreliable stream', () => {
  const collect = (session: { router: import('../src/router/router.js').Router }, count: number) =>
    new Promise<unknown[]>((resolve) =>
      session.router.streamHandler({
        name: 'state',
        fn: async (_session, stream) => {
          const got: unknown[] = []
          while (got.length < count) got.push(await stream.recv())
          resolve(got)
        }
      })
    )

  it('goes by datagrams, without those that came twice', async () => {
    const { left, right } = await pair({ line: () => 2 })
    const got = collect(right, 3)
    const stream = left.createStream('state', { unreliable: true })
    for (const number of [1, 2, 3]) await stream.send({ number })
    expect(await got).to.deep.equal([{ number: 1 }, { number: 2 }, { number: 3 }])
    expect(stream.mode).to.equal('datagrams')
    stream.reset()
  })

  it('cuts what is larger than a datagram when it may, and refuses it otherwise', async () => {
    const { left, right } = await pair({ line: () => 1 })
    const got = collect(right, 1)
    const stream = left.createStream('state', { unreliable: true, fragment: true })
    await stream.send({ first: true })
    expect(await got).to.deep.equal([{ first: true }])
    const more = left.createStream('state', { unreliable: true, fragment: true })
    const large = collect(right, 1)
    await more.send(Buffer.alloc(10_000, 'y'))
    expect(((await large)[0] as Buffer).toString()).to.equal('y'.repeat(10_000))
    const whole = left.createStream('state', { unreliable: true })
    await whole.send(1)
    expect(await codeOf(whole.send(Buffer.alloc(2000)))).to.equal('rpc.too-large')
    for (const each of [stream, more, whole]) each.reset()
  })

  it('keeps the newest on a stream where there are no datagrams, and says so', async () => {
    const { left, right } = await pair()
    const opened = new Promise<RpcStream>((resolve) =>
      right.router.streamHandler({ name: 'state', fn: (_session, stream) => resolve(stream) })
    )
    const stream = left.createStream('state', { unreliable: true })
    for (let number = 0; number < 5000; number++) await stream.send({ number, pad: 'x'.repeat(200) })
    const reading = await opened
    expect(stream.mode).to.equal('newest')
    let last = -1
    while (last < 4999) last = ((await reading.recv()) as { number: number }).number
    expect(stream.stats.dropped + reading.stats.received).to.equal(5000)
    stream.reset()
  })

  it('with time comes aligned to the own clock, in order', async () => {
    const { left, right } = await pair({ line: () => 1 })
    let received = false
    const got = new Promise<unknown[]>((resolve) =>
      right.router.streamHandler({
        name: 'audio',
        fn: async (_session, stream) => {
          stream.withTimeSync()
          const messages: unknown[] = []
          while (messages.length < 5) messages.push(await stream.recvAligned())
          received = true
          resolve(messages)
        }
      })
    )
    const stream = left.createStream('audio', { unreliable: true })
    // Those that come too late on a busy machine are left out, so there are more than enough.
    let count = 0
    await until(async () => {
      await stream.sendWithTimestamp(count++, performance.timeOrigin + performance.now())
      return received
    })
    const numbers = ((await got) as [number, number][]).map(([data]) => data)
    expect(numbers).to.deep.equal([...new Set(numbers)].sort((a, b) => a - b))
    stream.reset()
    left.close()
    right.close()
  })
})
