import { type RawStream, rawOf } from '@rystra/bytes'
import { expect } from 'chai'
import { RystraError, silentLog } from '@rystra/model'
import { encode, FrameDecoder, type Message } from '@rystra/protocol'
import type { Duplex } from 'node:stream'
import { drained, orElse, Session } from '../src/index.js'
import { FakeClock, FakeLink, pair, realClock, sessionInfo, turns, until } from './fakes.js'

const open = (side: 'server' | 'client' = 'server', withControl = true) => {
  const [near, far] = pair()
  const link = new FakeLink(withControl ? near : undefined)
  const clock = new FakeClock()
  const seen = {
    messages: [] as Message[],
    streams: [] as RawStream[],
    goAways: [] as (RystraError | undefined)[],
    closes: [] as (RystraError | undefined)[],
    requests: [] as number[]
  }
  const session = new Session(
    { side, info: sessionInfo, wrap: () => link, heartbeat: { interval: 1000, timeout: 3000 }, clock, log: silentLog },
    {
      onMessage: (message) => {
        seen.messages.push(message)
        if (message.type === 'UnregisterProxy') throw new RystraError('protocol.unexpected')
      },
      onStream: (stream) => seen.streams.push(stream),
      onGoAway: (error) => seen.goAways.push(error),
      onClose: (error) => seen.closes.push(error)
    }
  )
  session.links.onRequest = (count) => seen.requests.push(count)
  return { session, link, clock, seen, far, near, said: saidTo(far) }
}

/** Messages that came to the other side. */
const saidTo = (far: Duplex): Message[] => {
  const decoder = new FrameDecoder(65_536)
  const messages: Message[] = []
  far.on('data', (chunk: Buffer) => {
    decoder.push(chunk)
    for (let message = decoder.next(); message !== undefined; message = decoder.next()) messages.push(message)
  })
  return messages
}

const last = (messages: Message[]): Message | undefined => messages.at(-1)

describe('a session', () => {
  it('begins at once where the link has a control stream, and asks whether the peer is there', async () => {
    const { session, said, seen } = open()
    expect(session.started).to.equal(true)
    await until(() => said.length > 0, 'a heartbeat came')
    expect(said[0]?.type).to.equal('Heartbeat')
    expect(seen.closes).to.deep.equal([])
    session.destroy()
  })

  it('opens the control stream as a client, and takes the first stream for it as a server', async () => {
    const client = open('client', false)
    expect(client.session.started).to.equal(false)
    await client.session.start(new AbortController().signal)
    expect(client.session.started).to.equal(true)
    const said = saidTo(client.link.opened as Duplex)
    await until(() => said.length > 0, 'a heartbeat came')

    const server = open('server', false)
    await server.session.start(new AbortController().signal)
    expect(server.session.started).to.equal(false)
    const [first] = pair()
    const [second] = pair()
    server.link.onStream?.(first)
    expect(server.session.started).to.equal(true)
    server.link.onStream?.(second)
    expect(server.seen.streams.length).to.equal(1)
    expect(server.seen.streams[0]).to.equal(rawOf(second))
    const third = rawOf(pair()[0])
    server.link.onRawStream?.(third)
    expect(server.seen.streams[1]).to.equal(third)
    server.session.acceptStreams(false)
    expect([server.link.onStream, server.link.onRawStream]).to.deep.equal([undefined, undefined])
    for (const { session } of [client, server]) session.destroy()
  })

  it('says nothing, and does not answer a probe, while there is no control stream', async () => {
    const { session, clock } = open('server', false)
    session.send({ type: 'UnregisterProxy', name: 'x' })
    const probe = session.probe(2000)
    clock.pass(2000)
    expect(await probe).to.equal(false)
    session.destroy()
    expect(clock.timers.size).to.equal(0)
  })

  it('answers heartbeats, measures its own, and hands on the rest', async () => {
    const { session, far, said, seen, clock } = open()
    await until(() => said.length > 0, 'a heartbeat came')
    clock.pass(25)
    const beat = said[0] as { seq: number; time: number }
    far.write(encode({ type: 'HeartbeatAck', seq: beat.seq, time: beat.time }))
    far.write(encode({ type: 'Heartbeat', seq: 77, time: 5 }))
    far.write(encode({ type: 'RequestLinks', count: 3 }))
    far.write(encode({ type: 'RegisterProxyAck', request: 1, address: 'a' }))
    await until(() => seen.messages.length > 0, 'the last came')
    expect(session.rtt).to.equal(25)
    expect(last(said)).to.deep.equal({ type: 'HeartbeatAck', seq: 77, time: 5 })
    expect(seen.requests).to.deep.equal([3])
    expect(seen.messages.map(({ type }) => type)).to.deep.equal(['RegisterProxyAck'])
    session.destroy()
  })

  it('ends with session.timeout when nothing is heard', () => {
    const { session, seen, clock, link } = open()
    clock.pass(3000)
    expect(seen.closes.map((error) => [error?.code, error?.side])).to.deep.equal([['session.timeout', 'client']])
    expect(link.calls).to.deep.equal(['destroy'])
    expect([session.closed, clock.timers.size]).to.deep.equal([true, 0])
  })

  it('probes', async () => {
    const { session, far, clock } = open()
    const alive = session.probe(2000)
    far.write(encode({ type: 'Heartbeat', seq: 1, time: 1 }))
    expect(await alive).to.equal(true)
    const dead = session.probe(2000)
    clock.pass(2000)
    expect(await dead).to.equal(false)
    const gone = session.probe(2000)
    session.destroy()
    expect(await gone).to.equal(false)
    expect(await session.probe(2000)).to.equal(false)
  })

  it('tells that it goes away, and hears it', async () => {
    const { session, far, said, seen } = open()
    expect(session.goingAway).to.equal(false)
    session.goAway(5000, new RystraError('session.replaced'))
    expect(session.goingAway).to.equal(true)
    await until(() => last(said)?.type === 'GoAway', 'it was told')
    expect(last(said)).to.deep.equal({ type: 'GoAway', drain: 5000, error: { code: 'session.replaced' } })
    far.write(encode({ type: 'GoAway', drain: 1, error: { code: 'session.closing' } }))
    far.write(encode({ type: 'GoAway', drain: 1 }))
    await until(() => seen.goAways.length === 2, 'it was heard')
    expect(seen.goAways.map((error) => error?.code)).to.deep.equal(['session.closing', undefined])
    session.destroy()
    session.goAway(1)
  })

  it('closes cleanly, once, with the reason it was given', async () => {
    const { session, seen, link, clock, far, said } = open()
    session.send({ type: 'GoAway', drain: 0 })
    session.close(new RystraError('session.replaced'))
    session.close()
    await until(() => far.readableEnded, 'the end came')
    expect(last(said)?.type).to.equal('GoAway')
    expect(link.calls, 'before the other side has ended').to.deep.equal([])
    far.end()
    await until(() => seen.closes.length > 0, 'it closed')
    expect(link.calls).to.deep.equal(['close'])
    expect(seen.closes.map((error) => error?.code)).to.deep.equal(['session.replaced'])
    expect(clock.timers.size).to.equal(0)
  })

  it('does not wait for ever for an other side that does not end', () => {
    const { session, seen, link, clock } = open()
    session.close()
    clock.pass(500)
    expect(link.calls).to.deep.equal(['close'])
    expect(seen.closes).to.deep.equal([undefined])
  })

  it('was closed cleanly also when the link is lost on the way out', () => {
    const { session, seen, link } = open()
    session.close()
    link.onClose?.(new Error('read ECONNRESET'))
    expect(seen.closes).to.deep.equal([undefined])
  })

  it('closes cleanly when the other side says GoAway and ends its control stream', async () => {
    const { far, seen, link } = open()
    far.end(encode({ type: 'GoAway', drain: 0 }))
    await until(() => seen.closes.length > 0, 'it closed')
    expect(seen.closes).to.deep.equal([undefined])
    expect(link.calls).to.deep.equal(['close'])
  })

  it('is lost when the other side ends its control stream without a word, as the kernel does for one that was killed', async () => {
    const { far, seen, link } = open()
    far.end()
    await until(() => seen.closes.length > 0, 'it closed')
    expect(seen.closes.map((error) => error?.code)).to.deep.equal(['session.lost'])
    expect(link.calls).to.deep.equal(['destroy'])
  })

  it('says GoAway before it ends its control stream, once', async () => {
    for (const said of [false, true]) {
      const { session, far, said: messages } = open()
      if (said) session.goAway(1000)
      session.close()
      await until(() => far.readableEnded, 'the end came')
      const goAways = messages.filter(({ type }) => type === 'GoAway')
      expect(goAways).to.deep.equal([{ type: 'GoAway', drain: said ? 1000 : 0 }])
    }
  })

  it('leaves the link to a closing side that still sends on streams, for a limited time', async () => {
    const { session, far, seen, link, clock } = open()
    link.streams = 1
    far.end(encode({ type: 'GoAway', drain: 0 }))
    await until(() => far.readableEnded, 'it ended its control stream as well')
    const opened = session.open(() => ({ type: 'OpenChannel', id: 'c.1', name: 'rpc' }))
    expect(await opened.catch(({ code }: RystraError) => code), 'one stream more').to.equal('mux.closed')
    clock.pass(1000)
    expect(link.calls).to.deep.equal([])
    link.streams = 0
    clock.pass(200)
    expect(link.calls).to.deep.equal(['close'])
    expect(seen.closes).to.deep.equal([undefined])

    const stuck = open()
    stuck.link.streams = 1
    stuck.far.end(encode({ type: 'GoAway', drain: 0 }))
    await until(() => stuck.far.readableEnded, 'it ended its control stream as well')
    for (let step = 0; step < 101; step++) stuck.clock.pass(100)
    expect(stuck.link.calls).to.deep.equal(['close'])
  })

  it('ends with what was wrong when the other side talks nonsense, or what its owner throws', async () => {
    const garbage = open()
    garbage.far.write('GET / HTTP/1.1\r\n\r\n')
    await until(() => garbage.seen.closes.length > 0, 'it closed')
    expect(garbage.seen.closes.map((error) => error?.code)).to.deep.equal(['protocol.unexpected'])
    expect(garbage.link.calls).to.deep.equal(['destroy'])
    const thrown = open()
    thrown.far.write(encode({ type: 'UnregisterProxy', name: 'x' }))
    await until(() => thrown.seen.closes.length > 0, 'it closed')
    expect(thrown.seen.closes.map((error) => error?.code)).to.deep.equal(['protocol.unexpected'])
  })

  it('ends with session.lost when the link is gone', async () => {
    const { link, seen, near } = open()
    link.onClose?.(new Error('cable'))
    link.onClose?.(new Error('again'))
    near.destroy()
    await turns(3)
    expect(seen.closes.map((error) => error?.code)).to.deep.equal(['session.lost'])
  })
})

describe('draining', () => {
  it('waits until nothing is open, or for the deadline', async () => {
    const clock = new FakeClock()
    let left = 2
    await drained(() => 0, 1000, clock)
    await drained(() => 5, 0, clock)
    const empty = drained(() => left, 60_000, clock)
    left = 0
    await empty
    expect(clock.timers.size).to.equal(0)
    const late = drained(() => 1, 1000, clock)
    clock.pass(1000)
    await late
  })

  it('forces what takes too long, and only that', async () => {
    let forced = 0
    await orElse(Promise.resolve(), 5, () => (forced += 1), realClock)
    let finish: () => void = () => {}
    await orElse(
      new Promise<void>((resolve) => (finish = resolve)),
      5,
      () => {
        forced += 1
        finish()
      },
      realClock
    )
    expect(forced).to.equal(1)
    const clock = new FakeClock()
    await orElse(Promise.reject(new Error('x')), 5, () => {}, clock).catch(() => {})
    expect(clock.timers.size).to.equal(0)
  })
})
