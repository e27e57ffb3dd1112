import { expect } from 'chai'
import {
  forgetSlab,
  KEEP,
  mayHoldSlab,
  type RawReader,
  type RawStream,
  slabsTaken,
  type Verdict
} from '../src/index.js'
import { GatheredStream } from '../src/gathered-stream.js'

/** A stream that brings what it is told to, and knows whether it was paused. */
class Source implements RawStream {
  onWritable: (() => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  closed = false
  paused = false
  resets = 0
  reader: RawReader | undefined
  read(reader: RawReader): void {
    this.reader = reader
  }
  write(): boolean {
    return true
  }
  end(): void {}
  unread(): void {}
  pause(): void {
    this.paused = true
  }
  resume(): void {
    this.paused = false
  }
  reset(): void {
    this.resets += 1
    this.close(new Error('reset by this side'))
  }
  close(error?: Error): void {
    this.closed = true
    this.onClose?.(error)
  }
  /** In memory that the next piece overwrites. */
  bring(size: number, fill: number): Verdict {
    const piece = Buffer.alloc(size, fill)
    const verdict = (this.reader as RawReader).onBytes(piece, 0, size, true)
    piece.fill(0xff)
    if (verdict === false) this.paused = true
    return verdict
  }
}

class Reader implements RawReader {
  readonly chunks: { readonly bytes: Buffer; readonly shared: boolean }[] = []
  events: string[] = []
  verdict: Verdict = true
  lent: Buffer | undefined
  during: (() => void) | undefined
  onBytes(buffer: Buffer, start: number, end: number, shared: boolean): Verdict {
    this.chunks.push({ bytes: Buffer.from(buffer.subarray(start, end)), shared })
    this.events.push(`${end - start}`)
    this.lent = buffer
    this.during?.()
    return this.verdict
  }
  onEnd(): void {
    this.events.push('end')
  }
}

const RECORD = 16 * 1024
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const made = () => {
  const source = new Source()
  const stream = new GatheredStream(source)
  const reader = new Reader()
  stream.onClose = (error) => reader.events.push(error === undefined ? 'closed' : `closed: ${error.message}`)
  stream.read(reader)
  return { source, stream, reader }
}

/** Native links keep one slab for the whole process, which may have run other specs before. */
let ofOthers = 0
const taken = (): number => slabsTaken() - ofOthers

describe('a gathered stream', () => {
  before(() => {
    ofOthers = slabsTaken()
  })
  beforeEach(() => expect(taken()).to.equal(0))
  afterEach(() => {
    expect(taken(), 'every slab went back').to.equal(0)
    expect(mayHoldSlab()).to.equal(true)
  })

  it('passes the full pieces of a turn on as one, in memory that is lent', async () => {
    const { source, reader } = made()
    for (const fill of [1, 2, 3]) source.bring(RECORD, fill)
    expect(reader.events, 'more may follow').to.deep.equal([])
    await turn()
    expect(reader.events).to.deep.equal([String(3 * RECORD)])
    const [chunk] = reader.chunks
    expect(chunk?.shared).to.equal(false)
    expect([0, RECORD, 2 * RECORD].map((at) => chunk?.bytes[at])).to.deep.equal([1, 2, 3])
  })

  it('passes a small piece on at once, alone and behind what was gathered', () => {
    const { source, reader } = made()
    source.bring(1, 1)
    expect(reader.events).to.deep.equal(['1'])
    source.bring(RECORD, 2)
    source.bring(12, 3)
    expect(reader.events).to.deep.equal(['1', String(RECORD + 12)])
    expect(reader.chunks[1]?.bytes.at(-1)).to.equal(3)
  })

  it('passes a block on when it is full', () => {
    const { source, reader } = made()
    for (let pieces = 0; pieces < 32; pieces += 1) source.bring(RECORD, 1)
    expect(reader.events).to.deep.equal([String(32 * RECORD)])
  })

  it('holds what comes while its reader wants nothing, and goes on in order', async () => {
    const { source, stream, reader } = made()
    reader.verdict = false
    source.bring(RECORD, 1)
    await turn()
    expect(source.paused).to.equal(true)
    expect(taken(), 'the reader still uses it').to.equal(1)
    // TLS hands over what it has decrypted already.
    source.bring(RECORD, 2)
    source.bring(5, 3)
    await turn()
    expect(reader.events).to.deep.equal([String(RECORD)])
    reader.verdict = true
    stream.resume()
    expect(source.paused).to.equal(false)
    expect(Buffer.concat(reader.chunks.map(({ bytes }) => bytes))).to.have.length(2 * RECORD + 5)
    expect(reader.chunks.map(({ bytes }) => bytes[0])).to.deep.equal([1, 2, 3])
  })

  it('goes on when its reader pauses and resumes within a call', () => {
    const { source, stream, reader } = made()
    reader.during = () => {
      stream.pause()
      stream.resume()
    }
    source.bring(5, 1)
    expect(source.paused).to.equal(false)
    source.bring(5, 2)
    expect(reader.events).to.deep.equal(['5', '5'])
  })

  it('keeps what was gathered while it is paused', async () => {
    const { source, stream, reader } = made()
    source.bring(RECORD, 1)
    stream.pause()
    await turn()
    expect(reader.events).to.deep.equal([])
    stream.resume()
    expect(reader.events).to.deep.equal([String(RECORD)])
  })

  it('gives the next reader what the one before put back', async () => {
    const { source, stream, reader } = made()
    reader.verdict = false
    source.bring(5, 1)
    stream.unread(Buffer.from('abc'))
    const next = new Reader()
    stream.read(next)
    source.bring(RECORD, 2)
    await turn()
    expect(next.chunks.map(({ bytes }) => bytes.length)).to.deep.equal([3, RECORD])
  })

  it('lets a reader keep a block', async () => {
    const { source, reader } = made()
    reader.verdict = KEEP
    source.bring(RECORD, 1)
    await turn()
    expect(taken()).to.equal(1)
    forgetSlab(reader.lent as Buffer)
  })

  it('reports an end behind what was gathered', () => {
    const { source, reader } = made()
    source.bring(RECORD, 1)
    source.reader?.onEnd()
    expect(reader.events).to.deep.equal([String(RECORD), 'end'])
  })

  it('passes on what had arrived before a reset of the peer', () => {
    const { source, reader } = made()
    source.bring(RECORD, 1)
    source.close(new Error('reset by the peer'))
    expect(reader.events).to.deep.equal([String(RECORD), 'closed: reset by the peer'])
  })

  it('drops what was gathered when it is reset by this side', async () => {
    const { source, stream, reader } = made()
    source.bring(RECORD, 1)
    stream.reset()
    await turn()
    expect(source.resets).to.equal(1)
    expect(reader.events).to.deep.equal(['closed: reset by this side'])
  })

  it('gives up the memory of a reader that holds some when it closes', async () => {
    const { source, stream, reader } = made()
    reader.verdict = false
    source.bring(RECORD, 1)
    await turn()
    source.close()
    stream.resume()
    expect(reader.events).to.deep.equal([String(RECORD), 'closed'])
  })
})
