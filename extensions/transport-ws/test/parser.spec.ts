import { KEEP, type Verdict } from '@rystra/bytes'
import { expect } from 'chai'
import { type FrameHandler, FrameParser } from '../src/parser.js'
import { frame } from './raw-peer.js'

/** Answers as the test sets it, and writes down what came. */
class Reader implements FrameHandler {
  waits = false
  readonly came: string[] = []

  constructor(private readonly answers: Verdict[]) {}

  onPayload(buffer: Buffer, start: number, end: number): Verdict {
    this.came.push(buffer.toString('latin1', start, end))
    const verdict = this.answers.shift() ?? true
    if (verdict === false) this.waits = true
    return verdict
  }

  onMessage(): void {}
  onPing(): void {}
  onCloseFrame(): void {}
  onViolation(_code: number, error: Error): void {
    throw error
  }
}

const bytes = (): Buffer => Buffer.concat(['one', 'two', 'three'].map((text) => frame(text)))

const goOn = (parser: FrameParser, reader: Reader): Verdict => {
  reader.waits = false
  return parser.more()
}

describe('the memory that frames come in', () => {
  it('is left alone while the reader has enough, when it is lent', () => {
    const reader = new Reader([false, false])
    const parser = new FrameParser(reader, true)
    const lent = bytes()
    expect(parser.push(lent, 0, lent.length, false)).to.equal(false)
    expect(goOn(parser, reader)).to.equal(false)
    expect(reader.came).to.deep.equal(['one', 'two'])
    expect(goOn(parser, reader)).to.equal(true)
    expect([reader.came, parser.waiting]).to.deep.equal([['one', 'two', 'three'], false])
  })

  it('is copied when it is shared and the reader has enough', () => {
    const reader = new Reader([false])
    const parser = new FrameParser(reader, true)
    const shared = bytes()
    expect(parser.push(shared, 0, shared.length, true)).to.equal(false)
    shared.fill(0)
    expect(goOn(parser, reader)).to.equal(true)
    expect(reader.came).to.deep.equal(['one', 'two', 'three'])
  })

  it("is the reader's when it keeps it, and what else was in it goes on from a copy", () => {
    const reader = new Reader([KEEP, false])
    const parser = new FrameParser(reader, true)
    const lent = bytes()
    expect(parser.push(lent, 0, lent.length, false)).to.equal(KEEP)
    expect(reader.came).to.deep.equal(['one', 'two'])
    lent.fill(0)
    expect(goOn(parser, reader)).to.equal(true)
    expect(reader.came).to.deep.equal(['one', 'two', 'three'])
  })
})
