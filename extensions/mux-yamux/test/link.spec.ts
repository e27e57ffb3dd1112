import { HEADROOM, type RawReader, type RawStream, raw, rawOf } from '@rystra/bytes'
import { expect } from 'chai'
import { Duplex } from 'node:stream'
import type { YamuxOptions } from '../src/options.js'
import type { YamuxSession } from '../src/session.js'
import { cleanUp, session, turns } from './ends.js'
import { DATA, data, FIN, frame, SYN, UPDATE } from './wire.js'
import { HEADER } from '../src/frame.js'

interface Written {
  readonly type: number
  readonly id: number
  readonly length: number
}

/** A link of which each answer is own to give. */
class FakeLink extends Duplex implements RawStream {
  onWritable: (() => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  /** What the next writes answer. */
  takes = true
  /** One entry for each write: the frames in it. */
  readonly writes: Written[][] = []
  /** Called in the middle of each write. */
  during: (() => void) | undefined
  reader: RawReader | undefined

  get [raw](): RawStream {
    return this
  }

  // RawStream and Duplex have these names in common.
  override write(...args: unknown[]): boolean {
    const [buffer, start, end] = args as [Buffer, number, number]
    const frames: Written[] = []
    for (let at = start; at < end; ) {
      const length = buffer.readUInt32BE(at + 8)
      const type = buffer.readUInt8(at + 1)
      frames.push({ type, id: buffer.readUInt32BE(at + 4), length })
      at += 12 + (type === DATA ? length : 0)
    }
    this.writes.push(frames)
    this.during?.()
    return this.takes
  }

  override read(reader?: unknown): unknown {
    this.reader = reader as RawReader
    return undefined
  }

  override end(): this {
    return this
  }

  unread(): void {}
  reset(): void {
    this.onClose?.()
  }

  /** The link is free again. */
  free(): void {
    this.takes = true
    this.onWritable?.()
  }

  /** The other side has sent this, in memory lent as by a socket in full flow. */
  bring(...bytes: Buffer[]): unknown {
    const payload = Buffer.concat(bytes)
    const slab = Buffer.concat([Buffer.alloc(HEADROOM), payload])
    return this.reader?.onBytes(slab, HEADROOM, slab.length, false)
  }

  get sent(): Written[] {
    return this.writes.flat().filter(({ type }) => type === DATA)
  }
}

const start = async (
  side: 'client' | 'server',
  options: Partial<YamuxOptions> = {}
): Promise<{ link: FakeLink; mux: YamuxSession }> => {
  const link = new FakeLink()
  const mux = session(link, side, options)
  await turns(3)
  return { link, mux }
}

const lent = (size: number): Buffer => Buffer.alloc(HEADROOM + size, 7)

describe('the link', () => {
  afterEach(cleanUp)

  it('gets lent memory in one write, its header in front, and the writer waits until the link is done with it', async () => {
    const { link, mux } = await start('client')
    const stream = rawOf(await mux.open())
    await turns(2)
    let writable = 0
    stream.onWritable = () => {
      writable += 1
    }
    link.takes = false
    const writes = link.writes.length
    const memory = lent(100_000)
    expect(stream.write(memory, HEADROOM, memory.length, false)).to.equal(false)
    expect(link.writes.slice(writes)).to.deep.equal([[{ type: DATA, id: 1, length: 100_000 }]])
    await turns(3)
    expect(writable).to.equal(0)
    link.free()
    expect(writable).to.equal(1)
    expect(stream.write(memory, HEADROOM, memory.length, false)).to.equal(true)
  })

  it('never gets memory that begins at 0 written over, not even for the time of a write', async () => {
    const { link, mux } = await start('client', { maxWindow: 256 * 1024 })
    const stream = rawOf(await mux.open())
    const memory = Buffer.alloc(400_000, 7)
    let touched = false
    link.during = () => {
      touched ||= !memory.every((byte) => byte === 7)
    }
    stream.write(memory, 0, memory.length, false)
    await turns(3)
    link.bring(frame(UPDATE, 0, 1, 200_000))
    await turns(3)
    expect(link.sent.reduce((sum, { length }) => sum + length, 0)).to.equal(400_000)
    expect(touched).to.equal(false)
  })

  it('gets streams in turns when several wait, and large frames of one that is alone', async () => {
    const { link, mux } = await start('client', { frameSize: 10_000 + HEADER })
    const streams = [await mux.open(), await mux.open(), await mux.open()].map((stream) => rawOf(stream))
    await turns(2)
    link.takes = false
    // Blocks the link.
    streams[0]?.write(lent(20_000), HEADROOM, HEADROOM + 20_000, false)
    link.writes.length = 0
    streams[1]?.write(lent(35_000), HEADROOM, HEADROOM + 35_000, false)
    streams[2]?.write(lent(15_000), HEADROOM, HEADROOM + 15_000, false)
    expect(link.writes).to.have.length(0)
    link.free()
    await turns(3)
    expect(link.sent.map(({ id, length }) => [id, length])).to.deep.equal([
      [3, 10_000],
      [5, 10_000],
      [3, 10_000],
      [5, 5000],
      [3, 15_000]
    ])
  })

  it('writes what all streams sent within one turn of the event loop in one write', async () => {
    const { link, mux } = await start('client')
    const streams: RawStream[] = []
    for (let index = 0; index < 20; index++) streams.push(rawOf(await mux.open()))
    await turns(3)
    link.writes.length = 0
    for (const stream of streams) {
      stream.write(Buffer.from('hello'), 0, 5, true)
      await Promise.resolve()
      await new Promise((resolve) => process.nextTick(resolve))
    }
    expect(link.writes).to.have.length(0)
    await turns(1)
    expect(link.writes.map((frames) => frames.length)).to.deep.equal([20])
  })

  it('gets what a new window allows within the same read', async () => {
    const { link, mux } = await start('client')
    const stream = rawOf(await mux.open())
    const memory = lent(300_000)
    stream.write(memory, HEADROOM, memory.length, false)
    await turns(3)
    const before = link.sent.length
    link.bring(frame(UPDATE, 0, 1, 300_000))
    expect(link.sent.length).to.be.greaterThan(before)
  })

  it('keeps frames without payload in order behind a blocked write, and before bytes', async () => {
    const { link, mux } = await start('client')
    const first = rawOf(await mux.open())
    await turns(2)
    link.takes = false
    first.write(lent(20_000), HEADROOM, HEADROOM + 20_000, false)
    const second = rawOf(await mux.open())
    second.write(Buffer.from('x'), 0, 1, true)
    second.end()
    first.end()
    link.writes.length = 0
    link.free()
    await turns(3)
    const frames = link.writes.flat().filter(({ id }) => id === 3)
    expect(frames.map(({ type }) => type)).to.deep.equal([UPDATE, DATA, UPDATE])
  })

  it('has its memory kept for a reader that is not done, and no longer', async () => {
    const { link, mux } = await start('server')
    let answer: boolean = true
    mux.onStream = (stream) => rawOf(stream).read({ onBytes: () => answer, onEnd() {} })
    expect(link.bring(data(1, Buffer.alloc(70_000), SYN))).to.equal(true)
    answer = false
    expect(link.bring(data(1, Buffer.alloc(70_000)))).to.equal('keep')
    // Small payload is not worth a slab.
    expect(link.bring(data(3, Buffer.alloc(10_000), SYN))).to.equal(true)
  })

  it('lets a reader write over what is in front of its bytes only where those bytes are not needed any more', async () => {
    const { link, mux } = await start('server')
    const held: Buffer[] = []
    const lends: boolean[] = []
    mux.onStream = (stream) =>
      rawOf(stream).read({
        onBytes(buffer, from, to, shared) {
          lends.push(!shared)
          // As the contract allows.
          if (!shared) buffer.fill(0xee, Math.max(0, from - HEADROOM), from)
          held.push(buffer.subarray(from, to))
          return false
        },
        onEnd() {}
      })
    link.bring(
      data(1, Buffer.alloc(70_000, 1), SYN),
      data(3, Buffer.alloc(70_000, 2), SYN),
      data(5, Buffer.alloc(70_000, 3), SYN)
    )
    expect(lends).to.deep.equal([true, true, true])
    for (const [index, bytes] of held.entries()) {
      expect(bytes.length).to.equal(70_000)
      expect(
        bytes.every((byte) => byte === index + 1),
        `payload ${index}`
      ).to.equal(true)
    }
  })

  it('gives a slow reader everything, after both sides have ended', async () => {
    const { link, mux } = await start('server')
    let stream: RawStream | undefined
    let bytes = 0
    let closed = false
    mux.onStream = (opened) => {
      stream = rawOf(opened)
      stream.onClose = () => {
        closed = true
      }
      stream.read({
        onBytes(_buffer, from, to) {
          bytes += to - from
          return false
        },
        onEnd() {}
      })
    }
    link.bring(data(1, Buffer.alloc(20_000), SYN), data(1, Buffer.alloc(70_000)), data(1, Buffer.alloc(10), FIN))
    stream?.end()
    for (let round = 0; round < 3; round++) {
      await turns(2)
      expect(closed, `closed before it had resumed ${round + 1} times`).to.equal(false)
      stream?.resume()
    }
    await turns(2)
    expect([bytes, closed]).to.deep.equal([90_010, true])
  })
})
