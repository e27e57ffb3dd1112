import { expect } from 'chai'
import type { RawReader, Verdict } from '@rystra/bytes'
import { RystraError } from '@rystra/model'
import { encode, errorFrame, type Message, streamReadyFrame } from '@rystra/protocol'
import { HeadReader, readMessage, refuseStream } from '../src/index.js'
import { FakeClock, FakeRaw, turns } from './fakes.js'

const openStream: Message = {
  type: 'OpenStream',
  id: '1',
  proxy: 'web',
  visitor: ['192.0.2.1', 1],
  to: ['192.0.2.2', 80]
}

/** Takes down what it gets. */
class Sink implements RawReader {
  text = ''
  ends = 0
  answer: Verdict = true
  onBytes(buffer: Buffer, start: number, end: number): Verdict {
    this.text += buffer.toString('latin1', start, end)
    return this.answer
  }
  onEnd(): void {
    this.ends += 1
  }
}

const outcome = (raw: FakeRaw): { messages: Message[]; errors: Error[] } => {
  const seen = { messages: [] as Message[], errors: [] as Error[] }
  readMessage(raw, { onMessage: (message) => seen.messages.push(message), onError: (error) => seen.errors.push(error) })
  return seen
}

const feed = (raw: FakeRaw, bytes: Buffer): Verdict => {
  // As a source lends memory: it is overwritten afterwards.
  const lent = Buffer.from(bytes)
  const verdict = (raw.reader as RawReader).onBytes(lent, 0, lent.length, true)
  lent.fill(0xee)
  return verdict
}

describe('the head of a data stream', () => {
  it('is read at every split, and what is behind it stays for the next reader', async () => {
    const bytes = Buffer.concat([encode(openStream), Buffer.from('payload')])
    const head = bytes.length - 7
    for (let split = 1; split < bytes.length; split += 1) {
      const raw = new FakeRaw()
      const seen = outcome(raw)
      const first = feed(raw, bytes.subarray(0, split))
      if (split < head) {
        expect(first).to.equal(true)
        expect(feed(raw, bytes.subarray(split))).to.equal(false)
      } else if (feed(raw, bytes.subarray(split)) !== false) throw new Error('it goes on reading')
      expect(seen.messages, 'in a turn of its own').to.deep.equal([])
      await Promise.resolve()
      expect(seen.messages).to.deep.equal([openStream])
      const sink = new Sink()
      const rest = raw.back.map(String).sort((a, b) => b.length - a.length)
      expect(rest.join('').length, `split at ${split}`).to.equal(7)
      raw.read(sink)
      expect(sink.text.length).to.equal(7)
      expect(seen.errors).to.deep.equal([])
    }
  })

  it('fails once on garbage, on an end before it is whole, on a reset, and on a stream that is over', async () => {
    const garbage = new FakeRaw()
    const one = outcome(garbage)
    feed(garbage, Buffer.from('GET / HTTP/1.1'))
    feed(garbage, Buffer.from('more'))
    garbage.close(new Error('gone'))
    expect(one.errors.map((error) => (error as RystraError).code)).to.deep.equal(['protocol.unexpected'])
    const early = new FakeRaw()
    const two = outcome(early)
    feed(early, Buffer.from(encode(openStream)).subarray(0, 5))
    early.reader?.onEnd()
    early.close()
    expect(two.errors.map((error) => (error as RystraError).code)).to.deep.equal(['stream.reset'])
    const cut = new FakeRaw()
    const three = outcome(cut)
    cut.close(new Error('read ECONNRESET'))
    expect(three.errors.map(({ message }) => message)).to.deep.equal(['read ECONNRESET'])
    const over = new FakeRaw()
    over.close()
    const four = outcome(over)
    await turns(1)
    expect(four.errors.length).to.equal(1)
  })

  it('may not be larger than a first frame', () => {
    const raw = new FakeRaw()
    const seen = outcome(raw)
    feed(raw, Buffer.from([0x20, 0, 0x10, 0x01]))
    expect(seen.errors.map((error) => (error as RystraError).code)).to.deep.equal(['protocol.too-large'])
  })
})

describe("the client's answer at the head of a data stream", () => {
  const read = () => {
    const sink = new Sink()
    const seen = { ready: 0, refused: [] as Error[] }
    const reader = new HeadReader(sink, {
      onReady: () => {
        seen.ready += 1
      },
      onRefused: (error) => seen.refused.push(error)
    })
    return { sink, seen, reader }
  }

  it('is taken off at every split', () => {
    const bytes = Buffer.concat([streamReadyFrame, Buffer.from('hello visitor')])
    for (let split = 1; split < bytes.length; split += 1) {
      const { sink, seen, reader } = read()
      for (const part of [bytes.subarray(0, split), bytes.subarray(split)]) {
        const lent = Buffer.from(part)
        expect(reader.onBytes(lent, 0, lent.length, true)).to.equal(true)
        lent.fill(0)
      }
      reader.onEnd()
      expect([sink.text, sink.ends, seen.ready, seen.refused.length]).to.deep.equal(['hello visitor', 1, 1, 0])
    }
  })

  it('passes on a request to stop, and never that memory was kept which is not of the source', () => {
    const bytes = Buffer.concat([streamReadyFrame, Buffer.from('x')])
    for (const [answer, expected] of [
      [false, false],
      ['keep', true],
      [true, true]
    ] as const) {
      const { sink, reader } = read()
      sink.answer = answer
      expect(reader.onBytes(bytes, 0, bytes.length, false)).to.equal(expected)
    }
  })

  it('refuses with the error the client sent, and lets nothing behind it through', () => {
    const { sink, seen, reader } = read()
    const frame = errorFrame(new RystraError('stream.service-unreachable', { detail: 'web' }), { detail: true })
    const bytes = Buffer.concat([frame, Buffer.from('not for the visitor')])
    reader.onBytes(bytes, 0, bytes.length, true)
    reader.onBytes(bytes, 0, bytes.length, true)
    reader.onEnd()
    expect(seen.refused.map((error) => (error as RystraError).code)).to.deep.equal(['stream.service-unreachable'])
    expect([sink.text, sink.ends, seen.ready]).to.deep.equal(['', 0, 0])
  })

  it('refuses anything else, once', () => {
    for (const garbage of [
      Buffer.from('HTTP/1.1 200 OK'),
      Buffer.from(encode(openStream)),
      Buffer.from([0x21, 0xff, 0, 0])
    ]) {
      const { sink, seen, reader } = read()
      reader.onBytes(garbage, 0, garbage.length, true)
      reader.onBytes(garbage, 0, garbage.length, true)
      reader.onEnd()
      expect(seen.refused.length).to.equal(1)
      expect(sink.text).to.equal('')
    }
    const { seen, reader } = read()
    reader.onEnd()
    reader.onEnd()
    expect(seen.refused.map((error) => (error as RystraError).code)).to.deep.equal(['stream.reset'])
  })
})

describe('a stream that is refused', () => {
  it('says why, ends, and leaves the reset to the other side', () => {
    const [raw, clock] = [new FakeRaw(), new FakeClock()]
    refuseStream(raw, new RystraError('stream.refused', { detail: 'closed now' }), clock)
    expect(raw.calls).to.deep.equal(['end'])
    const expected = Buffer.from(
      errorFrame(new RystraError('stream.refused', { detail: 'closed now' }), { detail: true })
    )
    expect(Buffer.concat(raw.written).equals(expected)).to.equal(true)
    raw.close()
    expect(clock.timers.size).to.equal(0)
  })

  it('is reset when the other side does not close', () => {
    const [raw, clock] = [new FakeRaw(), new FakeClock()]
    refuseStream(raw, new Error('a path of this machine'), clock)
    expect(String(Buffer.concat(raw.written))).not.to.include('path')
    clock.pass(5000)
    expect(raw.calls).to.deep.equal(['end', 'reset'])
  })

  it('does nothing when it is over', () => {
    const [raw, clock] = [new FakeRaw(), new FakeClock()]
    raw.close()
    refuseStream(raw, new RystraError('stream.refused'), clock)
    expect([raw.written.length, clock.timers.size]).to.deep.equal([0, 0])
  })
})
