import { expect } from 'chai'
import { createHash } from 'node:crypto'
import type net from 'node:net'
import { PassThrough, Transform } from 'node:stream'
import { setTimeout as after } from 'node:timers/promises'
import { duplexOf, FilteredStream, type Filters, onreadWorks, type Pump, pump, rawOf, type Tap } from '../src/index.js'
import { pattern, turns, until } from './reading.js'
import { type Joined, tcpPair, tidy, tlsPair, unixPair } from './sockets.js'

interface Relayed {
  /** The visitor's own end, and the service's own end. */
  readonly visitor: net.Socket
  readonly service: net.Socket
  readonly pump: Pump
  readonly done: Promise<{ aToB: number; bToA: number; error: Error | undefined }>
}

interface RelayedFilters {
  readonly aToB?: Filters
  readonly bToA?: Filters
}

const kinds: Record<string, () => Promise<Joined>> = { TCP: tcpPair, Unix: unixPair, TLS: tlsPair }

const relayed = async (filters?: RelayedFilters, left = tcpPair, right = tcpPair): Promise<Relayed> => {
  const [a, b] = [await left(), await right()]
  let tell: (done: { aToB: number; bToA: number; error: Error | undefined }) => void
  const done = new Promise<{ aToB: number; bToA: number; error: Error | undefined }>((resolve) => {
    tell = resolve
  })
  let calls = 0
  const near = rawOf(a.accepted)
  const far = rawOf(b.dialed)
  const to = filters === undefined ? far : new FilteredStream(far, { write: filters.aToB, read: filters.bToA })
  const running = pump(near, to, (aToB, bToA, error) => {
    calls += 1
    if (calls > 1) throw new Error('done twice')
    tell({ aToB, bToA, error })
  })
  return { visitor: a.dialed, service: b.accepted, pump: running, done }
}

const received = async (socket: net.Socket): Promise<Buffer> => {
  const chunks: Buffer[] = []
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const sent = async (socket: net.Socket, bytes: Buffer, seed: number): Promise<void> => {
  let random = seed
  for (let at = 0; at < bytes.length; ) {
    random = (Math.imul(random, 1103515245) + 12345) & 0x7fffffff
    const size = random % 7 === 0 ? random % 400_000 : random % 3000
    const chunk = bytes.subarray(at, at + size)
    at += size
    if (!socket.write(chunk)) await new Promise((resolve) => socket.once('drain', resolve))
  }
  socket.end()
}

const sum = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** How a connection ends, seen by its holder. */
const ending = (socket: net.Socket): Promise<string> =>
  new Promise((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    socket.once('end', () => resolve('end'))
    socket.resume()
  })

afterEach(tidy)

describe('a pump', () => {
  for (const [kind, pair] of Object.entries(kinds)) {
    it(`carries 8 MiB each way at once in chunks of all sizes, ${kind} to TCP`, async () => {
      const { visitor, service, done } = await relayed({}, pair)
      const [up, down] = [pattern(8 << 20, 11), pattern((8 << 20) + 1, 12)]
      const [atService, atVisitor] = await Promise.all([
        received(service),
        received(visitor),
        sent(visitor, up, 5),
        sent(service, down, 6)
      ])
      expect(sum(atService)).to.equal(sum(up))
      expect(sum(atVisitor)).to.equal(sum(down))
      expect(await done).to.deep.equal({ aToB: up.length, bToA: down.length, error: undefined })
    })
  }

  it('brings a late answer to a visitor that has ended', async () => {
    const { visitor, service, done } = await relayed()
    const request = received(service)
    visitor.end('request')
    expect(String(await request)).to.equal('request')
    await after(30)
    const answer = pattern(1 << 20)
    service.end(answer)
    expect((await received(visitor)).equals(answer)).to.equal(true)
    expect((await done).error).to.equal(undefined)
  })

  it('brings what a visitor says late to a service that has ended', async () => {
    const { visitor, service, done } = await relayed()
    const greeting = received(visitor)
    service.end('greeting')
    expect(String(await greeting)).to.equal('greeting')
    await after(30)
    const late = pattern(1 << 20)
    visitor.end(late)
    expect((await received(service)).equals(late)).to.equal(true)
    expect((await done).error).to.equal(undefined)
  })

  for (const [from, to] of [
    ['visitor', 'service'],
    ['service', 'visitor']
  ] as const) {
    it(`passes a reset of the ${from} on as a reset`, async () => {
      const relay = await relayed()
      const seen = ending(relay[to])
      relay[from].resetAndDestroy()
      expect(await seen).to.equal('ECONNRESET')
      expect((await relay.done).error).to.have.property('code', 'ECONNRESET')
    })

    it(`passes a reset of the ${from} right behind bytes on as a reset`, async () => {
      for (let round = 0; round < 20; round += 1) {
        const relay = await relayed()
        // Through a raw stream: a bare Node socket would take it for an end.
        const far = rawOf(relay[to])
        let ends = 0
        far.read({
          onBytes: () => true,
          onEnd: () => {
            ends += 1
          }
        })
        const closed = new Promise<Error | undefined>((resolve) => {
          far.onClose = resolve
        })
        relay[from].write('half of it')
        relay[from].resetAndDestroy()
        expect(await closed).to.have.property('code', 'ECONNRESET')
        expect(ends, 'clean ends seen').to.equal(0)
        expect((await relay.done).error).to.have.property('code', 'ECONNRESET')
      }
    })

    it(`passes a reset of the ${from} on after the other direction has ended`, async () => {
      const relay = await relayed()
      relay[to].end()
      relay[from].resume()
      await until(() => relay[from].readableEnded, 'the end came')
      const seen = ending(relay[to])
      relay[from].resetAndDestroy()
      expect(await seen).to.equal('ECONNRESET')
      expect((await relay.done).error).to.be.instanceOf(Error)
    })

    it(`takes no more from a ${from} than buffers hold while the other does not read`, async () => {
      const relay = await relayed()
      relay[to].pause()
      const chunk = Buffer.alloc(256 * 1024, 7)
      let taken = 0
      let quiet = 0
      const before = process.memoryUsage()
      while (quiet < 40) {
        if (relay[from].writableLength === 0) {
          relay[from].write(chunk)
          taken += chunk.length
          quiet = 0
        }
        await turns(1)
        quiet += 1
      }
      const now = process.memoryUsage()
      expect(taken, 'bytes taken').to.be.below(32 << 20)
      expect(now.external + now.arrayBuffers - before.external - before.arrayBuffers, 'memory').to.be.below(
        (onreadWorks ? 8 : 32) << 20
      )
      const counted = from === 'visitor' ? relay.pump.aToB : relay.pump.bToA
      expect(counted).to.be.within(1, taken)
      let came = 0
      relay[to].on('data', (bytes: Buffer) => {
        came += bytes.length
      })
      relay[to].resume()
      relay[from].end()
      await until(() => relay[to].readableEnded, 'all came')
      expect(came).to.equal(taken)
    })
  }

  it('closes cleanly when both ends end in the same turn', async () => {
    const { visitor, service, done } = await relayed()
    visitor.resume().end('a')
    service.resume().end('bc')
    expect(await done).to.deep.equal({ aToB: 1, bToA: 2, error: undefined })
  })

  it('closes both when both are reset in the same turn', async () => {
    const { visitor, service, done } = await relayed()
    visitor.resetAndDestroy()
    service.resetAndDestroy()
    expect((await done).error).to.be.instanceOf(Error)
  })

  it('closes both sides when one ends and is reset in the same turn', async () => {
    const { visitor, service, pump: running, done } = await relayed()
    visitor.end()
    await until(() => service.readableLength === 0 && running.aToB === 0, 'nothing')
    running.reset(new Error('no more'))
    expect((await done).error?.message).to.equal('no more')
  })

  it('resets a service whose visitor was gone before', async () => {
    const [a, b] = [await tcpPair(), await tcpPair()]
    const raw = rawOf(a.accepted)
    a.dialed.resetAndDestroy()
    a.accepted.resume()
    await until(() => raw.closed, 'the visitor is gone')
    const seen = ending(b.accepted)
    const error = await new Promise<Error | undefined>((resolve) => {
      pump(raw, rawOf(b.dialed), (_to, _from, failure) => resolve(failure))
    })
    expect(error).to.be.instanceOf(Error)
    expect(await seen).to.equal('ECONNRESET')
  })

  it('says once that it is over, when a stream is closed but its event has not been', async () => {
    const [a, b] = [await tcpPair(), await tcpPair()]
    a.accepted.destroy()
    b.dialed.destroy()
    let calls = 0
    await new Promise<void>((resolve) => {
      process.nextTick(() =>
        pump(rawOf(a.accepted), rawOf(b.dialed), () => {
          calls += 1
          setTimeout(resolve, 5)
        })
      )
    })
    expect(calls).to.equal(1)
  })

  it('counts while it runs', async () => {
    const { visitor, service, pump: running } = await relayed()
    service.resume()
    visitor.write('12345')
    await until(() => running.aToB === 5, 'it counted')
    expect(running.bToA).to.equal(0)
  })
})

describe('a tap', () => {
  const tapped = (tap: Tap): Promise<Relayed> => relayed({ aToB: { tap } })

  const through = async (tap: Tap, bytes: Buffer): Promise<{ came: Buffer; counted: number }> => {
    const { visitor, service, done } = await tapped(tap)
    const all = received(service)
    service.end()
    visitor.resume()
    await sent(visitor, bytes, 9)
    const came = await all
    return { came, counted: (await done).aToB }
  }

  it('may leave chunks as they are', async () => {
    const bytes = pattern(3 << 20)
    const { came, counted } = await through((chunk) => chunk, bytes)
    expect(came.equals(bytes)).to.equal(true)
    expect(counted).to.equal(bytes.length)
  })

  it('may change them in place', async () => {
    const bytes = pattern(3 << 20)
    const { came } = await through((chunk) => {
      for (let at = 0; at < chunk.length; at += 1) chunk[at] = (chunk[at] as number) ^ 0xff
      return chunk
    }, bytes)
    expect(came.equals(Buffer.from(bytes.map((byte) => byte ^ 0xff)))).to.equal(true)
  })

  it('may drop them, or parts of them, and what was read is counted all the same', async () => {
    const bytes = pattern(1 << 20)
    const { came, counted } = await through(() => Buffer.alloc(0), bytes)
    expect(came.length).to.equal(0)
    expect(counted).to.equal(bytes.length)
    let first = true
    const part = await through((chunk) => {
      const answer = first ? chunk.subarray(1) : chunk
      first = false
      return answer
    }, bytes)
    expect(part.came.equals(bytes.subarray(1))).to.equal(true)
    expect(part.counted).to.equal(bytes.length)
  })

  it('may make them longer', async () => {
    const bytes = pattern(2 << 20)
    const { came, counted } = await through(
      (chunk) => Buffer.concat([chunk, chunk.subarray(0, 0), Buffer.from('+')]),
      bytes
    )
    expect(came.length).to.be.above(bytes.length)
    expect(counted).to.equal(bytes.length)
  })

  it('resets both sides when it throws, whatever it throws', async () => {
    for (const thrown of [new Error('no'), 'just a string', undefined]) {
      const { visitor, service, done } = await tapped(() => {
        throw thrown
      })
      const seen = Promise.all([ending(visitor), ending(service)])
      visitor.write('x')
      expect(await seen).to.deep.equal(['ECONNRESET', 'ECONNRESET'])
      expect((await done).error).to.be.instanceOf(Error)
    }
  })

  it('resets both sides when it answers with something else than bytes', async () => {
    for (const answer of [undefined, 'text', 7, null]) {
      const { visitor, service, done } = await tapped(() => answer as never)
      const seen = Promise.all([ending(visitor), ending(service)])
      visitor.write('x')
      expect(await seen).to.deep.equal(['ECONNRESET', 'ECONNRESET'])
      expect((await done).error).to.be.instanceOf(TypeError)
    }
  })
})

describe('a transform in the path', () => {
  const delaying = (ms: number): Transform =>
    new Transform({
      transform(chunk, _encoding, done) {
        setTimeout(() => done(null, chunk), ms)
      },
      flush(done) {
        setTimeout(done, ms)
      }
    })

  it('passes all through, in both directions, several in a row', async () => {
    const { visitor, service, done } = await relayed({
      aToB: { through: [rawOf(new PassThrough()), rawOf(new PassThrough())] },
      bToA: { through: [rawOf(new PassThrough())] }
    })
    const [up, down] = [pattern(3 << 20, 1), pattern(3 << 20, 2)]
    const [atService, atVisitor] = await Promise.all([
      received(service),
      received(visitor),
      sent(visitor, up, 3),
      sent(service, down, 4)
    ])
    expect(atService.equals(up)).to.equal(true)
    expect(atVisitor.equals(down)).to.equal(true)
    expect(await done).to.deep.equal({ aToB: up.length, bToA: down.length, error: undefined })
  })

  it('may delay, also the end, also when the other direction is long over', async () => {
    const { visitor, service, done } = await relayed({ aToB: { through: [rawOf(delaying(20))] } })
    service.end()
    visitor.resume()
    await until(() => visitor.readableEnded, 'the service has ended')
    visitor.end('late')
    expect(String(await received(service))).to.equal('late')
    expect((await done).error).to.equal(undefined)
  })

  it('holds back a visitor by not taking more', async () => {
    const stuck = new Transform({ transform() {} })
    const { visitor, pump: running } = await relayed({ aToB: { through: [rawOf(stuck)] } })
    visitor.write(Buffer.alloc(32 << 20))
    await turns(60)
    expect(running.aToB).to.be.below(4 << 20)
    running.reset()
  })

  it('resets both sides when it fails', async () => {
    const failing = new Transform({
      transform(_chunk, _encoding, done) {
        done(new Error('not this'))
      }
    })
    const { visitor, service, done } = await relayed({ aToB: { through: [rawOf(failing)] } })
    const seen = Promise.all([ending(visitor), ending(service)])
    visitor.write('x')
    expect(await seen).to.deep.equal(['ECONNRESET', 'ECONNRESET'])
    expect((await done).error?.message).to.equal('not this')
  })

  it('resets both sides when it was destroyed before', async () => {
    const dead = new PassThrough()
    const raw = rawOf(dead)
    dead.destroy()
    await until(() => raw.closed, 'it is closed')
    const { visitor, service, done } = await relayed({ bToA: { through: [raw] } })
    const seen = Promise.all([ending(visitor), ending(service)])
    expect(await seen).to.deep.equal(['ECONNRESET', 'ECONNRESET'])
    expect((await done).error).to.be.instanceOf(Error)
  })

  it('is destroyed with the stream', async () => {
    const between = new PassThrough()
    const { visitor, done } = await relayed({ aToB: { through: [rawOf(between)] } })
    visitor.resetAndDestroy()
    await done
    expect(between.destroyed).to.equal(true)
  })
})

describe('a Duplex made of a raw stream', () => {
  it('carries bytes, ends and back-pressure both ways', async () => {
    const { dialed, accepted } = await tcpPair()
    const duplex = duplexOf(rawOf(dialed))
    const [up, down] = [pattern(2 << 20, 1), pattern(2 << 20, 2)]
    const [there, here] = await Promise.all([
      received(accepted),
      received(duplex as net.Socket),
      sent(duplex as net.Socket, up, 1),
      sent(accepted, down, 2)
    ])
    expect(there.equals(up)).to.equal(true)
    expect(here.equals(down)).to.equal(true)
    await until(() => duplex.closed, 'it closed')
  })

  it('resets when it is destroyed, and is destroyed when it is reset', async () => {
    const { dialed, accepted } = await tcpPair()
    const duplex = duplexOf(rawOf(dialed))
    const seen = ending(accepted)
    duplex.destroy()
    expect(await seen).to.equal('ECONNRESET')
    const again = await tcpPair()
    const second = duplexOf(rawOf(again.dialed))
    const failed = ending(second as net.Socket)
    again.accepted.resetAndDestroy()
    expect(await failed).to.equal('ECONNRESET')
  })

  it('fails at once when the raw stream is over already', async () => {
    const { dialed } = await tcpPair()
    const raw = rawOf(dialed)
    dialed.destroy()
    await until(() => raw.closed, 'it is closed')
    const duplex = duplexOf(raw)
    expect(await ending(duplex as net.Socket)).to.match(/closed before/)
  })
})
