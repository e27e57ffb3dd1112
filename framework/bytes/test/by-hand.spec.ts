import { expect } from 'chai'
import { FilteredStream, KEEP, pump, type RawReader, type RawStream, type Verdict } from '../src/index.js'

/** A raw stream made by hand, that closes within its reset. */
class Hand implements RawStream {
  onWritable: (() => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  closed = false
  reader: RawReader | undefined
  resumes = 0
  ended = false
  verdict: boolean | typeof KEEP = true
  read(reader: RawReader): void {
    this.reader = reader
  }
  write(): boolean {
    return this.verdict as boolean
  }
  end(): void {
    this.ended = true
  }
  unread(): void {}
  pause(): void {}
  resume(): void {
    this.resumes += 1
  }
  reset(): void {
    this.close(new Error('reset by this side'))
  }
  close(error?: Error): void {
    if (this.closed) return
    this.closed = true
    this.onClose?.(error)
  }
  lend(bytes: Buffer): Verdict | undefined {
    return this.reader?.onBytes(bytes, 0, bytes.length, false)
  }
}

const made = (tap?: (chunk: Buffer) => Buffer) => {
  const [a, b] = [new Hand(), new Hand()]
  const done: [number, number, Error | undefined][] = []
  const to = tap === undefined ? b : new FilteredStream(b, { write: { tap } })
  const running = pump(a, to, (...result) => done.push([result[0], result[1], result[2]]))
  return { a, b, done, running }
}

describe('a pump between streams that answer at once', () => {
  it('says once that it is over', () => {
    for (const side of ['a', 'b'] as const) {
      const world = made()
      const error = new Error('cut')
      world[side].close(error)
      expect(world.done).to.deep.equal([[0, 0, error]])
      expect([world.a.closed, world.b.closed]).to.deep.equal([true, true])
    }
    const { running, done } = made()
    running.reset(new Error('enough'))
    running.reset(new Error('again'))
    expect(done.map(([, , error]) => error?.message)).to.deep.equal(['enough'])
  })

  it('hands on what the writer says of the memory, and its word that it may go on', () => {
    const { a, b } = made()
    for (const verdict of [true, false, KEEP] as const) {
      b.verdict = verdict
      expect(a.lend(Buffer.from('x'))).to.equal(verdict)
    }
    expect([a.resumes, b.resumes]).to.deep.equal([0, 0])
    b.onWritable?.()
    expect([a.resumes, b.resumes]).to.deep.equal([1, 0])
    a.onWritable?.()
    expect([a.resumes, b.resumes]).to.deep.equal([1, 1])
  })

  it('never says that the memory of the source was kept when it was the memory of a tap', () => {
    const own = made(() => Buffer.from('other memory'))
    own.b.verdict = KEEP
    expect(own.a.lend(Buffer.from('lent')), 'memory of the tap').to.equal(true)
    own.b.verdict = false
    expect(own.a.lend(Buffer.from('lent'))).to.equal(false)
    const same = made((chunk) => chunk.subarray(1))
    same.b.verdict = KEEP
    expect(same.a.lend(Buffer.from('lent')), 'a part of what was lent').to.equal(KEEP)
    const nothing = made(() => Buffer.alloc(0))
    nothing.b.verdict = KEEP
    expect(nothing.a.lend(Buffer.from('lent')), 'nothing was written').to.equal(true)
  })
})
