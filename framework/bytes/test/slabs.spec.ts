import { expect } from 'chai'
import type net from 'node:net'
import { HEADROOM, KEEP, rawOf, releaseSlab, SLAB_SIZE, slabsTaken, takeSlab } from '../src/index.js'
import { onreadWorks } from '../src/onread.js'
import type { RawSocket } from '../src/raw-socket.js'
import { pattern, Recorder, turns, until } from './reading.js'
import { tcpPair, tidy } from './sockets.js'

afterEach(tidy)

/** Native links keep one slab for the whole process, which may have run other specs before. */
let ofOthers = 0
const taken = (): number => slabsTaken() - ofOthers

describe('slabs of raw sockets', () => {
  before(() => {
    ofOthers = slabsTaken()
  })
  before(function () {
    if (!onreadWorks) this.skip()
  })
  beforeEach(() => expect(taken()).to.equal(0))

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
    while (taken() === 0) {
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
    expect(taken()).to.equal(0)
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
    for (let count = 0; count < 50 && taken() > 0; count += 1) {
      const length = reader.length
      far.write('x')
      await until(() => reader.length > length, 'it came')
    }
    expect(taken()).to.equal(0)
    const before = reader.length
    far.write('more')
    await until(() => reader.length === before + 4, 'more came')
    expect(reader.shared.at(-1)).to.equal(true)
    expect(reader.chunks.at(-1)?.toString()).to.equal('more')
  })

  it('go back when a socket reads nothing for a while, and reading goes on', async () => {
    const { reader, far, sweep } = await flowing()
    sweep()
    expect(taken(), 'it was read into since the last sweep').to.equal(1)
    sweep()
    expect(taken()).to.equal(0)
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
      while (taken() === 0) {
        const length = reader.length
        far.write(Buffer.alloc(1 << 20))
        await until(() => reader.length === length + (1 << 20), 'all came')
      }
      sweep()
      let count = 0
      for (; taken() > 0; count += 1) sweep()
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
    expect(taken()).to.equal(1)
    reader.answer = () => true
    raw.resume()
    await until(() => reader.length === before + (1 << 20), 'the rest came')
    for (let count = 0; count < 10; count += 1) sweep()
    expect(taken()).to.equal(0)
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
    expect(taken()).to.equal(0)
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
    expect(taken()).to.be.at.least(keptOnes.length)
    far.resetAndDestroy()
    await until(() => reader.closed !== undefined, 'it closed')
    expect(taken()).to.equal(keptOnes.length)
    for (const slab of [...keptOnes, ...keptOnes]) releaseSlab(slab)
    expect(taken()).to.equal(0)
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
    expect(taken()).to.be.at.most(1)
    await until(() => taken() === 0, 'the last went back')
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
    expect(taken()).to.equal(0)
    expect(first.destroyed).to.equal(false)
  })
})
