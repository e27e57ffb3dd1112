import { expect } from 'chai'
import fc from 'fast-check'
import { type FrameHandler, FrameParser, putHeader } from '../src/frame.js'
import { data, frame } from './wire.js'

/** Writes down what it is reported; payload of one frame is joined, however it came. */
class Record implements FrameHandler {
  readonly reported: string[] = []
  #payload = ''

  onHeader(...header: number[]): void {
    this.reported.push(`header ${header.join(' ')}`)
  }

  onPayload(buffer: Buffer, start: number, end: number): void {
    this.#payload += buffer.toString('hex', start, end)
  }

  onDataEnd(): void {
    this.reported.push(`payload ${this.#payload}`)
    this.#payload = ''
  }

  onMalformed(detail: string): void {
    this.reported.push(`garbage ${detail}`)
  }

  get partial(): string {
    return this.#payload
  }
}

const parse = (bytes: Buffer, cuts: readonly number[]): { record: Record; parser: FrameParser } => {
  const record = new Record()
  const parser = new FrameParser(record)
  const places = [0, ...[...cuts].map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  for (let index = 1; index < places.length; index++) {
    parser.push(bytes, places[index - 1] as number, places[index] as number)
  }
  return { record, parser }
}

const u32 = fc.nat(0xffff_ffff)
const anyFrame = fc.oneof(
  fc
    .tuple(u32, fc.nat(0xffff), fc.uint8Array({ maxLength: 200 }))
    .map(([id, flags, payload]) => data(id, Buffer.from(payload), flags)),
  fc.tuple(fc.integer({ min: 1, max: 3 }), fc.nat(0xffff), u32, u32).map((fields) => frame(...fields))
)

describe('the parser', () => {
  it('reads the fields of a header where the specification has them', () => {
    const { record } = parse(Buffer.from('000100030000002a80000001', 'hex'), [])
    expect(record.reported).to.deep.equal(['header 1 3 42 2147483649'])
  })

  it('reads what putHeader writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), fc.nat(0xffff), u32, u32, (type, flags, id, length) => {
        const bytes = Buffer.alloc(20)
        putHeader(bytes, 8, type, flags, id, length)
        expect(bytes.subarray(8)).to.deep.equal(frame(type, flags, id, length))
        expect(parse(bytes.subarray(8), []).record.reported).to.deep.equal([`header ${type} ${flags} ${id} ${length}`])
      })
    )
  })

  it('says the same however the bytes are cut in two', () => {
    const bytes = Buffer.concat([frame(1, 1, 1, 0), data(1, 'hello'), data(1, ''), frame(2, 1, 0, 9), data(3, 'x', 4)])
    const whole = parse(bytes, []).record.reported
    expect(whole).to.have.length(8)
    for (let cut = 0; cut <= bytes.length; cut++)
      expect(parse(bytes, [cut]).record.reported, `cut at ${cut}`).to.deep.equal(whole)
  })

  it('says the same when every byte comes by itself', () => {
    const bytes = Buffer.concat([data(1, 'hello', 4), frame(1, 8, 7, 3), data(5, 'world')])
    const all = [...bytes.keys()]
    expect(parse(bytes, all).record.reported).to.deep.equal(parse(bytes, []).record.reported)
  })

  it('says the same of any frames, cut in any way', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 20 }), fc.array(fc.nat(), { maxLength: 50 }), (frames, cuts) => {
        const bytes = Buffer.concat(frames)
        const { record, parser } = parse(bytes, cuts)
        expect(record.reported).to.deep.equal(parse(bytes, []).record.reported)
        expect(parser.clean).to.equal(true)
      })
    )
  })

  it('takes any bytes at all, and says the same of them in any pieces', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat(), { maxLength: 20 }), (bytes, cuts) => {
        const one = parse(Buffer.from(bytes), cuts).record
        const other = parse(Buffer.from(bytes), []).record
        expect([one.reported, one.partial]).to.deep.equal([other.reported, other.partial])
      }),
      { numRuns: 500 }
    )
  })

  it('stops at the first header that is no yamux', () => {
    const bytes = Buffer.concat([frame(1, 1, 1, 0), Buffer.from('010000000000000000000000', 'hex'), frame(1, 1, 3, 0)])
    expect(parse(bytes, []).record.reported).to.deep.equal(['header 1 1 1 0', 'garbage version 1'])
    expect(parse(frame(4, 0, 0, 0), [5]).record.reported).to.deep.equal(['garbage frame type 4'])
  })

  it('knows whether the bytes end where a frame ends', () => {
    const bytes = data(1, 'abc')
    for (let end = 0; end <= bytes.length; end++) {
      const { parser } = parse(bytes.subarray(0, end), [])
      expect(parser.clean, `${end} bytes`).to.equal(end === 0 || end === bytes.length)
    }
  })

  it('says nothing more once it was stopped', () => {
    const record = new Record()
    const parser = new FrameParser(record)
    record.onHeader = () => parser.stop()
    parser.push(Buffer.concat([data(1, 'abc'), frame(2, 0, 0, 0)]), 0, 27)
    expect(record.reported).to.deep.equal([])
  })
})
