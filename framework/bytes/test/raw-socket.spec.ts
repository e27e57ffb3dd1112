import { expect } from 'chai'
import type net from 'node:net'
import { Duplex } from 'node:stream'
import {
  GatheredStream,
  HEADROOM,
  KEEP,
  onreadWorks,
  rawOf,
  releaseSlab,
  SLAB_SIZE,
  slabsTaken,
  takeSlab
} from '../src/index.js'
import { RawDuplex } from '../src/raw-duplex.js'
import { RawSocket } from '../src/raw-socket.js'
import { pattern, Recorder, turns, until } from './reading.js'
import { type Joined, tcpPair, tidy, tlsPair, unixPair } from './sockets.js'

const kinds: Record<string, () => Promise<Joined>> = { TCP: tcpPair, Unix: unixPair, TLS: tlsPair }
const ends = ['dialed', 'accepted'] as const
const other = { dialed: 'accepted', accepted: 'dialed' } as const

/** Sees how the far end of a connection ends. */
const outcome = (socket: net.Socket): Promise<string> =>
  new Promise((resolve) => {
    let ended = false
    socket.on('end', () => {
      ended = true
    })
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    socket.on('close', () => resolve(ended ? 'end' : 'close'))
    socket.resume()
  })

afterEach(tidy)

for (const [kind, pair] of Object.entries(kinds)) {
  for (const end of ends) {
    describe(`the raw stream of a ${end} ${kind} socket`, () => {
      let near: net.Socket
      let far: net.Socket

      beforeEach(async () => {
        const joined = await pair()
        near = joined[end]
        far = joined[other[end]]
      })

      it('is the fast one where Node allows it, and the same each time', () => {
        const fast = kind === 'TLS' ? GatheredStream : RawSocket
        expect(rawOf(near)).to.be.instanceOf(onreadWorks ? fast : RawDuplex)
        expect(rawOf(near)).to.equal(rawOf(near))
      })

      it('delivers bytes and the end, and closes cleanly when both sides have ended', async () => {
        const raw = rawOf(near)
        const reader = new Recorder(raw)
        far.end('hello')
        await until(() => reader.ends === 1, 'the end came')
        expect(reader.bytes.toString()).to.equal('hello')
        expect(reader.closed, 'one direction is still open').to.equal(undefined)
        raw.end()
        await until(() => reader.closed !== undefined, 'it closed')
        expect(reader.closed?.error).to.equal(undefined)
        expect(raw.closed).to.equal(true)
      })

      it('delivers what had come before it was taken over, and an end that had', async () => {
        far.end('early')
        near.on('readable', () => {})
        await until(() => near.readableLength === 5, 'the bytes are in the queue of the socket')
        await turns(5)
        near.removeAllListeners('readable')
        const reader = new Recorder(rawOf(near))
        await until(() => reader.ends === 1, 'the end came')
        expect(reader.bytes.toString()).to.equal('early')
      })

      it('tells an end that was over before it was taken over', async () => {
        far.end()
        near.resume()
        await until(() => near.readableEnded, 'the socket ended')
        const reader = new Recorder(rawOf(near))
        await until(() => reader.ends === 1, 'the end came')
      })

      it('delivers bytes that a handshake gave back, before what comes later', async () => {
        far.write('handshake+rest')
        near.on('readable', () => {})
        await until(() => near.readableLength === 14, 'the bytes came')
        const came = near.read() as Buffer
        near.unshift(came.subarray(10))
        near.removeAllListeners('readable')
        const reader = new Recorder(rawOf(near))
        far.write(' and more')
        await until(() => reader.length === 13, 'all came')
        expect(reader.bytes.toString()).to.equal('rest and more')
      })

      it('reads nothing between pause and resume, and loses nothing', async () => {
        const raw = rawOf(near)
        const reader = new Recorder(raw)
        reader.answer = () => {
          raw.pause()
          return true
        }
        const sent = pattern(300_000)
        far.write(sent)
        let before = 0
        while (reader.length < sent.length) {
          await until(() => reader.length > before, 'the next bytes came')
          before = reader.length
          await turns(3)
          expect(reader.length, 'bytes came while paused').to.equal(before)
          raw.resume()
        }
        expect(reader.bytes.equals(sent)).to.equal(true)
      })

      it('delivers nothing while the reader holds what it got, and leaves that alone', async () => {
        const raw = rawOf(near)
        const reader = new Recorder(raw)
        let calls = 0
        let held: (() => boolean) | undefined
        let broken = 0
        reader.answer = (buffer, start, end, shared) => {
          calls += 1
          if (held !== undefined) broken += 1
          const copy = Buffer.from(buffer.subarray(start, end))
          held = () => shared || copy.equals(buffer.subarray(start, end))
          return false
        }
        const sent = pattern(2 * 1024 * 1024)
        far.write(sent)
        while (reader.length < sent.length) {
          await until(() => held !== undefined, 'the next bytes came')
          const seen = calls
          await turns(2)
          expect(calls, 'called while it held').to.equal(seen)
          expect(held?.(), 'lent memory was overwritten').to.equal(true)
          held = undefined
          raw.resume()
        }
        expect(broken).to.equal(0)
        expect(reader.bytes.equals(sent)).to.equal(true)
      })

      it('gives bytes that were put back to the next reader first', async () => {
        const raw = rawOf(near)
        const second = new Recorder()
        const first = new Recorder()
        first.answer = (buffer, start, end) => {
          raw.unread(Buffer.from(buffer.subarray(start + 4, end)))
          return false
        }
        raw.read(first)
        far.write('headbody')
        await until(() => first.length > 0, 'the head came')
        far.end(' tail')
        raw.read(second)
        await until(() => second.ends === 1, 'the end came')
        expect(second.bytes.toString()).to.equal('body tail')
        expect(first.ends).to.equal(0)
      })

      it('changes readers from inside onBytes', async () => {
        const raw = rawOf(near)
        const second = new Recorder()
        const first = new Recorder()
        first.answer = (buffer, start, end) => {
          raw.unread(Buffer.from(buffer.subarray(start + 4, end)))
          raw.read(second)
          return true
        }
        raw.read(first)
        const body = pattern(500_000)
        far.end(Buffer.concat([Buffer.from('head'), body]))
        await until(() => second.ends === 1, 'the end came')
        expect(second.bytes.equals(body)).to.equal(true)
      })

      it('carries 4 MiB each way at once, unharmed', async () => {
        const raw = rawOf(near)
        const reader = new Recorder(raw)
        const [up, down] = [pattern(4 << 20, 3), pattern(4 << 20, 4)]
        far.end(up)
        const got: Buffer[] = []
        far.on('data', (chunk: Buffer) => got.push(chunk))
        let at = 0
        const more = (): void => {
          while (at < down.length) {
            const size = 1 + ((at * 7919) % 200_000)
            const end = Math.min(down.length, at + size)
            const lent = Buffer.from(down.subarray(at, end))
            at = end
            if (!raw.write(lent, 0, lent.length, at % 3 === 0)) return
          }
          raw.end()
        }
        raw.onWritable = more
        more()
        await until(() => reader.closed !== undefined, 'it closed')
        await until(() => far.closed, 'the other closed')
        expect(reader.bytes.equals(up), 'what it read').to.equal(true)
        expect(Buffer.concat(got).equals(down), 'what it wrote').to.equal(true)
        expect(reader.closed?.error).to.equal(undefined)
      })

      it('holds a writer back while the other side does not read, and leaves shared memory to its owner', async () => {
        const raw = rawOf(near)
        raw.read(new Recorder())
        const chunk = Buffer.alloc(64 * 1024, 1)
        let pushed = 0
        while (raw.write(chunk, 0, chunk.length, true)) pushed += chunk.length
        chunk.fill(2)
        expect(pushed, 'what was taken without a reader').to.be.below(24 << 20)
        let writable = 0
        raw.onWritable = () => {
          writable += 1
        }
        let twos = 0
        far.on('data', (bytes: Buffer) => {
          twos += bytes.filter((byte) => byte !== 1).length
        })
        await until(() => writable > 0, 'it may write again')
        raw.end()
        await until(() => far.readableEnded, 'all came')
        expect(twos, 'bytes that were changed after the write').to.equal(0)
        expect(writable).to.equal(1)
      })

      it('says once that it is writable, when several writes had to wait', async () => {
        const raw = rawOf(near)
        const big = Buffer.alloc(16 << 20)
        let writable = 0
        raw.onWritable = () => {
          writable += 1
          expect(near.writableLength, 'bytes that are still waiting').to.equal(0)
        }
        expect(raw.write(big, 0, big.length, false)).to.equal(false)
        expect(raw.write(big, 0, big.length, false)).to.equal(false)
        far.resume()
        await until(() => writable > 0, 'it may write again')
        await turns(5)
        expect(writable).to.equal(1)
      })

      it('reports a reset of its own, and one of the other side', async () => {
        const raw = rawOf(near)
        const reader = new Recorder(raw)
        raw.reset()
        raw.reset()
        await until(() => reader.closed !== undefined, 'it closed')
        expect(reader.closed?.error?.message).to.match(/reset by this side/)
        const again = (await pair())[end]
        const second = new Recorder(rawOf(again))
        again.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
        await until(() => second.closed !== undefined, 'it closed')
        expect(second.closed?.error).to.have.property('code', 'ECONNRESET')
      })

      it('does not take a cut connection for a clean end', async () => {
        const reader = new Recorder(rawOf(near))
        near.destroy()
        await until(() => reader.closed !== undefined, 'it closed')
        expect(reader.closed?.error).to.be.instanceOf(Error)
      })

      it('swallows what is written after the end, or after it is gone', async () => {
        const raw = rawOf(near)
        raw.end()
        expect(raw.write(Buffer.from('x'), 0, 1, false)).to.equal(true)
        raw.end()
        raw.reset()
        expect(raw.write(Buffer.from('x'), 0, 1, false)).to.equal(true)
        raw.end()
        await until(() => raw.closed, 'it closed')
      })
    })
  }
}

describe('a reset of a TCP socket', () => {
  for (const end of ends) {
    it(`shows as ECONNRESET at the other side, ${end}`, async () => {
      const joined = await tcpPair()
      const seen = outcome(joined[other[end]])
      new Recorder(rawOf(joined[end]))
      rawOf(joined[end]).reset()
      expect(await seen).to.equal('ECONNRESET')
    })

    it(`closes this side, and fails what the other writes, in the turn of an end, ${end}`, async () => {
      const joined = await tcpPair()
      const far = joined[other[end]]
      const seen = outcome(far)
      const raw = rawOf(joined[end])
      const reader = new Recorder(raw)
      raw.end()
      raw.reset()
      await until(() => reader.closed !== undefined, 'it closed here')
      expect(reader.closed?.error).to.be.instanceOf(Error)
      await until(() => far.readableEnded || far.destroyed, 'the other side saw something')
      far.write('x', () => far.write('y'))
      expect(await seen).to.be.oneOf(['ECONNRESET', 'EPIPE'])
    })

    it(`is noticed by one that is watched while its reader is paused, and nothing that came is lost, ${end}`, async function () {
      if (!onreadWorks) this.skip()
      for (const last of ['reset', 'end'] as const) {
        const joined = await tcpPair()
        const [near, far] = [joined[end], joined[other[end]]]
        const raw = rawOf(near)
        const reader = new Recorder()
        reader.answer = () => false
        raw.onClose = (error) => {
          reader.closed = { error }
        }
        raw.read(reader)
        far.write('first')
        await until(() => reader.length === 5, 'the first bytes came')
        raw.watch?.()
        if (last === 'reset') {
          far.write('second')
          far.resetAndDestroy()
          await until(() => reader.closed !== undefined, 'the reset is noticed')
          expect(reader.length, 'the reader was left alone').to.equal(5)
        } else {
          far.write(pattern(200_000))
          await until(() => near.bytesRead > 60_000, 'it is read ahead')
          await turns(5)
          expect([near.bytesRead < 200_000, reader.length], 'of the rest a bounded part').to.deep.equal([true, 5])
          far.end()
          reader.answer = () => true
          raw.resume()
          await until(() => reader.ends === 1, 'the end came')
          expect(reader.bytes.subarray(5).equals(pattern(200_000))).to.equal(true)
        }
      }
    })

    it(`shows as a reset right behind bytes, where Node itself shows an end, ${end}`, async () => {
      const joined = await tcpPair()
      const far = new Recorder(rawOf(joined[other[end]]))
      joined[end].write(Buffer.alloc(32 << 20))
      joined[end].resetAndDestroy()
      await until(() => far.closed !== undefined || far.ends > 0, 'the other side saw something')
      expect(far.ends, 'ends seen').to.equal(0)
      expect(far.closed?.error).to.have.property('code', 'ECONNRESET')
    })

    it(`shows as a reset right behind a few bytes and our own end, ${end}`, async () => {
      const joined = await tcpPair()
      const raw = rawOf(joined[other[end]])
      const far = new Recorder(raw)
      raw.end()
      joined[end].resume()
      await until(() => joined[end].readableEnded, 'our end came')
      joined[end].write('half an answer')
      joined[end].resetAndDestroy()
      await until(() => far.closed !== undefined, 'it closed')
      expect(far.ends, 'ends seen').to.equal(0)
      expect(far.closed?.error).to.have.property('code', 'ECONNRESET')
    })

    it(`shows when it comes after the end, which libuv does not poll behind, ${end}`, async () => {
      const joined = await tcpPair()
      const far = new Recorder(rawOf(joined[other[end]]))
      joined[end].end('all')
      await until(() => far.ends === 1 && joined[end].writableFinished, 'the end came')
      joined[end].resetAndDestroy()
      await until(() => far.closed !== undefined, 'it closed')
      expect(far.closed?.error).to.have.property('code', 'ECONNRESET')
    })

    it(`shows when it came before the take-over, behind bytes, ${end}`, async () => {
      const joined = await tcpPair()
      const near = joined[other[end]]
      joined[end].write('half')
      joined[end].resetAndDestroy()
      near.on('readable', () => {})
      await until(() => near.readableLength > 0 || near.destroyed, 'something came')
      await turns(5)
      near.removeAllListeners('readable')
      const reader = new Recorder(rawOf(near))
      await until(() => rawOf(near).closed, 'it closed')
      expect(reader.ends).to.equal(0)
    })
  }

  it('closes the raw stream of a socket that was destroyed before', async () => {
    const { dialed } = await tcpPair()
    dialed.destroy()
    const raw = rawOf(dialed)
    const reader = new Recorder(raw)
    raw.reset()
    await until(() => raw.closed, 'it closed')
    expect(reader.closed?.error).to.be.instanceOf(Error)
    const late = rawOf((await tcpPair()).dialed)
    expect(late.closed).to.equal(false)
  })
})

describe('slabs of raw sockets', () => {
  before(function () {
    if (!onreadWorks) this.skip()
  })
  beforeEach(() => expect(slabsTaken()).to.equal(0))

  interface Flowing {
    readonly raw: RawSocket
    readonly reader: Recorder
    readonly far: net.Socket
    readonly near: net.Socket
    /** As the timer for all sockets does, which passes this one by: how often it was swept is up to the test. */
    readonly sweep: () => void
  }

  /** A connection in full flow: one that was given a slab. */
  const flowing = async (): Promise<Flowing> => {
    const { dialed, accepted } = await tcpPair()
    const raw = rawOf(dialed) as RawSocket
    const sweep = raw.sweep.bind(raw)
    raw.sweep = () => {}
    const reader = new Recorder(raw)
    let written = 0
    while (slabsTaken() === 0) {
      written += 1 << 20
      accepted.write(Buffer.alloc(1 << 20))
      await turns(2)
    }
    await until(() => reader.shared.includes(false), 'it reads into a slab')
    // What comes next is the test's own.
    await until(() => reader.length === written, 'all of it came')
    return { raw, reader, far: accepted, near: dialed, sweep }
  }

  it('are not taken by quiet sockets', async () => {
    const { dialed, accepted } = await tcpPair()
    const reader = new Recorder(rawOf(dialed))
    for (let turn = 0; turn < 20; turn += 1) {
      accepted.write('x')
      await turns(1)
    }
    await until(() => reader.length === 20, 'all came')
    expect(slabsTaken()).to.equal(0)
    expect(reader.shared.every(Boolean), 'all through the common buffer').to.equal(true)
  })

  it('never lend the common buffer', async () => {
    const { reader } = await flowing()
    const sharedSizes = reader.chunks.filter((_, index) => reader.shared[index]).map(({ length }) => length)
    expect(Math.max(...sharedSizes)).to.be.at.most(64 * 1024)
    for (const buffer of reader.buffers) {
      if (buffer.length !== 64 * 1024) expect(buffer.length).to.equal(HEADROOM + SLAB_SIZE)
    }
  })

  it('leave room in front of what they lend', async () => {
    const { reader, far } = await flowing()
    let start = 0
    reader.answer = (_buffer, at, _end, shared) => {
      if (!shared) start = at
      return true
    }
    far.write(Buffer.alloc(1 << 20))
    await until(() => start > 0, 'more was lent')
    expect(start).to.equal(HEADROOM)
  })

  it('go back when a socket reads little at a time', async () => {
    const { reader, far } = await flowing()
    for (let count = 0; count < 50 && slabsTaken() > 0; count += 1) {
      const length = reader.length
      far.write('x')
      await until(() => reader.length > length, 'it came')
    }
    expect(slabsTaken()).to.equal(0)
    const before = reader.length
    far.write('more')
    await until(() => reader.length === before + 4, 'more came')
    expect(reader.shared.at(-1)).to.equal(true)
    expect(reader.chunks.at(-1)?.toString()).to.equal('more')
  })

  it('go back when a socket reads nothing for a while, and reading goes on', async () => {
    const { reader, far, sweep } = await flowing()
    sweep()
    expect(slabsTaken(), 'it was read into since the last sweep').to.equal(1)
    sweep()
    expect(slabsTaken()).to.equal(0)
    const sent = pattern(1 << 20)
    const before = reader.length
    far.write(sent)
    await until(() => reader.length === before + sent.length, 'more came')
    expect(reader.bytes.subarray(before).equals(sent)).to.equal(true)
  })

  it('may stay longer each time they were taken back too early', async () => {
    const { reader, far, sweep } = await flowing()
    const sweeps: number[] = []
    for (let round = 0; round < 4; round += 1) {
      while (slabsTaken() === 0) {
        const length = reader.length
        far.write(Buffer.alloc(1 << 20))
        await until(() => reader.length === length + (1 << 20), 'all came')
      }
      sweep()
      let count = 0
      for (; slabsTaken() > 0; count += 1) sweep()
      sweeps.push(count)
    }
    expect(sweeps).to.deep.equal([1, 2, 4, 8])
  })

  it('stay while they are held, and go back after', async () => {
    const { raw, reader, far, sweep } = await flowing()
    const before = reader.length
    let held: Buffer | undefined
    reader.answer = (buffer, _start, _end, shared) => {
      if (shared) return true
      held = buffer
      return false
    }
    far.write(Buffer.alloc(1 << 20))
    await until(() => held !== undefined, 'one is held')
    for (let count = 0; count < 10; count += 1) sweep()
    expect(slabsTaken()).to.equal(1)
    reader.answer = () => true
    raw.resume()
    await until(() => reader.length === before + (1 << 20), 'the rest came')
    for (let count = 0; count < 10; count += 1) sweep()
    expect(slabsTaken()).to.equal(0)
  })

  it('are not given to another when a socket closes while one is held', async () => {
    const { reader, far, near } = await flowing()
    let held: Buffer | undefined
    reader.answer = (buffer, _start, _end, shared) => {
      if (shared) return true
      held = buffer
      return false
    }
    far.write(Buffer.alloc(1 << 20))
    await until(() => held !== undefined, 'one is held')
    near.destroy()
    await until(() => reader.closed !== undefined, 'it closed')
    expect(slabsTaken()).to.equal(0)
    const others: Buffer[] = []
    for (let count = 0; count < 40; count += 1) others.push(takeSlab() as Buffer)
    expect(others.includes(held as Buffer), 'the held one was handed out').to.equal(false)
    for (const slab of others) releaseSlab(slab)
  })

  it('are replaced when the reader keeps them, and taken back from it', async () => {
    const { reader, far } = await flowing()
    const keptOnes: Buffer[] = []
    const start = reader.length
    reader.answer = (buffer, _start, _end, shared) => {
      if (shared) return true
      keptOnes.push(buffer)
      return KEEP
    }
    const sent = pattern(4 << 20)
    far.write(sent)
    await until(() => reader.length >= start + sent.length, 'all came')
    expect(reader.bytes.subarray(reader.length - sent.length).equals(sent)).to.equal(true)
    expect(new Set(keptOnes).size, 'each kept once').to.equal(keptOnes.length)
    expect(keptOnes.length).to.be.above(1)
    expect(slabsTaken()).to.be.at.least(keptOnes.length)
    far.resetAndDestroy()
    await until(() => reader.closed !== undefined, 'it closed')
    expect(slabsTaken()).to.equal(keptOnes.length)
    for (const slab of [...keptOnes, ...keptOnes]) releaseSlab(slab)
    expect(slabsTaken()).to.equal(0)
  })

  it('run out, and reading goes on through the common buffer', async () => {
    const all: Buffer[] = []
    const takeAll = (): void => {
      for (let slab = takeSlab(); slab !== undefined; slab = takeSlab()) all.push(slab)
    }
    takeAll()
    expect(all.length, 'slabs in the pool').to.be.within(60, 64)
    try {
      const { dialed, accepted } = await tcpPair()
      const reader = new Recorder(rawOf(dialed))
      // One that an earlier test lost may be collected meanwhile, and be free again.
      reader.answer = () => {
        takeAll()
        return true
      }
      const sent = pattern(3 << 20)
      accepted.end(sent)
      await until(() => reader.ends === 1, 'the end came')
      expect(reader.bytes.equals(sent)).to.equal(true)
      expect(reader.shared.filter((shared) => !shared).length, 'reads into slabs').to.be.at.most(256 - 250)
    } finally {
      for (const slab of all) releaseSlab(slab)
    }
    expect(slabsTaken()).to.be.at.most(1)
    await until(() => slabsTaken() === 0, 'the last went back')
  })

  it('are gone after 300 short connections, and no listener is left behind', async () => {
    const { dialed: first } = await tcpPair()
    for (let count = 0; count < 300; count += 1) {
      const { dialed, accepted } = await tcpPair()
      const [one, two] = [new Recorder(rawOf(dialed)), new Recorder(rawOf(accepted))]
      rawOf(dialed).write(Buffer.from('x'), 0, 1, false)
      rawOf(dialed).end()
      await until(() => two.ends === 1, 'the end came')
      rawOf(accepted).end()
      await until(() => one.closed !== undefined && two.closed !== undefined, 'both closed')
      if (two.length !== 1) throw new Error(`${two.length} bytes came`)
      if (count === 299) {
        for (const event of ['error', 'end', 'close', 'finish', 'drain', 'readable', 'data']) {
          expect(dialed.listenerCount(event), event).to.be.at.most(3)
        }
      }
    }
    expect(slabsTaken()).to.equal(0)
    expect(first.destroyed).to.equal(false)
  })
})

describe('the raw stream of any Duplex', () => {
  it('is made from its events, and copies what is lent to it', async () => {
    const written: Buffer[] = []
    const stream = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        written.push(chunk)
        done()
      }
    })
    const raw = rawOf(stream)
    expect(raw).to.be.instanceOf(RawDuplex)
    const lent = Buffer.from('abc')
    raw.write(lent, 0, 3, false)
    lent.fill(0)
    expect(written[0]?.toString()).to.equal('abc')
    const reader = new Recorder(raw)
    stream.push('x')
    stream.push(null)
    await until(() => reader.ends === 1, 'the end came')
    raw.end()
    await until(() => reader.closed !== undefined, 'it closed')
    expect(reader.closed?.error).to.equal(undefined)
  })

  it('closes once, also when it was made between the end of a stream and its close event', async () => {
    const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
    stream.destroy()
    let closed = 0
    await new Promise<void>((resolve) => {
      process.nextTick(() => {
        const raw = rawOf(stream)
        raw.onClose = () => {
          closed += 1
        }
        setImmediate(() => setImmediate(resolve))
      })
    })
    expect(closed).to.equal(1)
    expect(rawOf(stream).closed).to.equal(true)
  })
})
